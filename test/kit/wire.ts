/** One end of a raw connection, scripted byte by byte: send, expect, half-close, reset. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { Message } from './message.ts';
import { bodyLength, decodeChunked, parseHead } from './message.ts';

/** A wait that ended because the peer closed; backends' scripts end quietly on it. */
export class WireClosed extends Error {}

/** Where to connect: a port of 127.0.0.1, or the path of a unix socket. */
export type Target = number | string;

/** Milliseconds that any wait may take before it fails. */
export const PATIENCE = 8000;

/** A socket whose reads are awaited; texts are latin1 both ways. */
export class Wire {
  readonly socket: Socket;
  /** Our port, which outlives the socket. */
  readonly localPort: number;
  /** What is received; from `#from` to `#to` it has not been read yet. */
  #store: Buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;
  #ended = false;
  #closed = false;
  #error: NodeJS.ErrnoException | undefined;
  readonly #waiters = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    this.localPort = socket.localPort ?? 0;
    socket.on('data', (bytes: Buffer) => {
      this.#append(bytes);
      this.#wake();
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#wake();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#error = error;
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#wake();
    });
  }

  /** All bytes received and not yet read. */
  get #buffer(): Buffer {
    return this.#store.subarray(this.#from, this.#to);
  }

  /** What has been read stays as it is: who reads is given parts of the store. */
  #append(bytes: Buffer): void {
    if (this.#to + bytes.length > this.#store.length) {
      const rest = this.#buffer;
      this.#store = Buffer.allocUnsafe(2 * (rest.length + bytes.length));
      rest.copy(this.#store);
      this.#from = 0;
      this.#to = rest.length;
    }
    bytes.copy(this.#store, this.#to);
    this.#to += bytes.length;
  }

  /** Connects. */
  static async connect(target: Target, host = '127.0.0.1'): Promise<Wire> {
    const socket =
      typeof target === 'number'
        ? connect({ port: target, host, allowHalfOpen: true, noDelay: true })
        : connect({ path: target, allowHalfOpen: true });
    await once(socket, 'connect');
    return new Wire(socket);
  }

  /** What has come and was not read yet. */
  get pending(): string {
    return this.#buffer.toString('latin1');
  }

  /** True once the peer has sent its FIN or the connection is gone. */
  get ended(): boolean {
    return this.#ended || this.#closed;
  }

  /** True when the connection ended by a reset. */
  get wasReset(): boolean {
    return this.#error?.code === 'ECONNRESET' || this.#error?.code === 'EPIPE';
  }

  /** Sends exactly these bytes; a string is latin1. */
  send(bytes: string | Uint8Array): this {
    if (!this.socket.destroyed) {
      this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    }
    return this;
  }

  /** Sends and resolves once the kernel has taken all of it. */
  async flush(bytes: string | Uint8Array): Promise<void> {
    if (!this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)) {
      await this.waitFor(() => this.#closed || !this.socket.writableNeedDrain, 'drain');
    }
  }

  /** Half-closes: FIN after what was sent; reading goes on. */
  end(bytes?: string): this {
    if (bytes !== undefined) {
      this.send(bytes);
    }
    this.socket.end();
    return this;
  }

  /** Closes at once with RST. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  /** Closes both directions. */
  close(): void {
    this.socket.destroy();
  }

  /** Stops reading, so that the kernel's buffers fill. */
  pause(): this {
    this.socket.pause();
    return this;
  }

  /** Reads again. */
  resume(): this {
    this.socket.resume();
    return this;
  }

  /** Resolves when `ready` holds, looking again at every read, end and close. */
  async waitFor(ready: () => boolean, what: string, ms = PATIENCE): Promise<void> {
    if (ready()) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: unknown): void => {
        clearTimeout(timer);
        this.#waiters.delete(look);
        this.socket.off('drain', look);
        if (error === undefined) {
          resolve();
        } else {
          reject(error);
        }
      };
      const look = (): void => {
        let done = false;
        try {
          done = ready();
        } catch (error) {
          finish(error);
          return;
        }
        if (done) {
          finish();
        } else if (this.#closed || (this.#ended && this.socket.writableEnded)) {
          finish(new WireClosed(`connection closed while waiting for ${what}; had ${this.#shown()}`));
        }
      };
      const timer = setTimeout(
        () => finish(new Error(`no ${what} within ${ms} ms; had ${this.#shown()}`)),
        ms,
      );
      this.#waiters.add(look);
      this.socket.on('drain', look);
      look();
    });
  }

  /** Reads through the first `marker`, and returns it with what came before it. */
  async readUntil(marker: string, ms = PATIENCE): Promise<string> {
    const bytes = Buffer.from(marker, 'latin1');
    await this.#waitData(() => this.#buffer.includes(bytes), JSON.stringify(marker), ms);
    return this.#take(this.#buffer.indexOf(bytes) + bytes.length).toString('latin1');
  }

  /** Reads exactly `count` bytes. */
  async readBytes(count: number, ms = PATIENCE): Promise<Buffer> {
    await this.#waitData(() => this.#buffer.length >= count, `${count} bytes`, ms);
    return this.#take(count);
  }

  /** Waits until something has come, and takes all of it. */
  async readSome(ms = PATIENCE): Promise<Buffer> {
    await this.#waitData(() => this.#buffer.length > 0, 'bytes', ms);
    return this.#take(this.#buffer.length);
  }

  /** Reads to the peer's end (FIN or reset). */
  async readToEnd(ms = PATIENCE): Promise<string> {
    await this.waitFor(() => this.ended, 'end of the connection', ms);
    return this.#take(this.#buffer.length).toString('latin1');
  }

  /** The next bytes are exactly these. */
  async expect(bytes: string): Promise<void> {
    const got = await this.readBytes(Buffer.byteLength(bytes, 'latin1'));
    assert.equal(got.toString('latin1'), bytes);
  }

  /** The peer closes and sends nothing more. */
  async expectEnd(ms = PATIENCE): Promise<void> {
    assert.equal(await this.readToEnd(ms), '');
  }

  /** Nothing comes and the connection stays open for `ms`. */
  async expectSilence(ms = 150): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
    assert.equal(this.pending, '');
    assert.equal(this.ended, false, 'the connection was closed');
  }

  /** Reads one head, through its empty line. */
  readHead(): Promise<string> {
    return this.readUntil('\r\n\r\n');
  }

  /** Reads one message: a request, or the reply to a request of `method`. A 1xx reply counts as one. */
  async readMessage(method = 'GET', ms = PATIENCE): Promise<Message> {
    const message = parseHead(await this.readUntil('\r\n\r\n', ms));
    const length = bodyLength(message, method);
    if (length === 'chunked') {
      await this.#waitData(() => decodeChunked(this.#buffer) !== undefined, 'chunked body', ms);
      const decoded = decodeChunked(this.#buffer);
      this.#take(decoded?.length ?? 0);
      return { ...message, body: decoded?.body ?? '', trailer: decoded?.trailer ?? '' };
    }
    if (length === 'close') {
      return { ...message, body: await this.readToEnd(ms) };
    }
    return { ...message, body: (await this.readBytes(length, ms)).toString('latin1') };
  }

  /** Sends a request and reads its reply. */
  request(bytes: string, method = bytes.slice(0, bytes.indexOf(' '))): Promise<Message> {
    this.send(bytes);
    return this.readMessage(method);
  }

  async #waitData(ready: () => boolean, what: string, ms: number): Promise<void> {
    await this.waitFor(
      () => {
        if (ready()) {
          return true;
        }
        if (this.ended) {
          throw new WireClosed(`connection closed while waiting for ${what}; had ${this.#shown()}`);
        }
        return false;
      },
      what,
      ms,
    );
  }

  #shown(): string {
    return JSON.stringify(this.pending.slice(0, 300));
  }

  #take(count: number): Buffer {
    const bytes = this.#buffer.subarray(0, count);
    this.#from += count;
    return bytes;
  }

  #wake(): void {
    for (const look of [...this.#waiters]) {
      look();
    }
  }
}
