/** Both ends of HTTP/2, scripted frame by frame, wrong ones too. */
import type { Field } from '../../src/http/http2/field.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADERS,
  PREFACE,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../src/http/http2/frames.ts';
import { HpackDecoder } from '../../src/http/http2/hpack-decoder.ts';
import { field as encoded } from '../../src/http/http2/hpack-encoder.ts';
import type { Subject } from './proxy.ts';
import type { Wire } from './wire.ts';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly id: number;
  /** One character a byte. */
  readonly payload: string;
  /** Of HEADERS: its fields, `name: value` a line; the blocks of CONTINUATION frames included. */
  readonly fields: string;
}

export interface Answer {
  readonly status: number;
  readonly fields: string;
  readonly body: string;
  readonly trailers: string;
  /** The code of RST_STREAM; -1 when the stream has ended in order. */
  readonly reset: number;
}

/** Name and value. */
export type Pair = readonly [name: string, value: string];

/** A block: literals without indexing. */
export const block = (pairs: readonly Pair[]): string =>
  pairs.map(([name, value]) => encoded(name, value)).join('');

/** The four pseudo-headers. */
export const get = (path = '/', method = 'GET', authority = 'localhost'): Pair[] => [
  [':method', method],
  [':scheme', 'http'],
  [':path', path],
  [':authority', authority],
];

export const frame = (type: number, flags: number, id: number, payload = ''): string =>
  frameHead(payload.length, type, flags, id) + payload;

const number32 = (text: string, at: number): number => Buffer.from(text, 'latin1').readUInt32BE(at);

/** One end of a connection: sends frames, and reads those of the other one. */
export class H2End {
  readonly #decoder = new HpackDecoder(65536, 1 << 20);

  constructor(readonly wire: Wire) {}

  send(...frames: readonly string[]): this {
    this.wire.send(frames.join(''));
    return this;
  }

  async read(ms?: number): Promise<Frame> {
    const head = await this.wire.readBytes(9, ms);
    const length = head.readUIntBE(0, 3);
    const type = head[3] ?? 0;
    const flags = head[4] ?? 0;
    const id = head.readUInt32BE(5);
    const payload = (await this.wire.readBytes(length, ms)).toString('latin1');
    let whole = payload;
    for (let last = flags; type === HEADERS && (last & END_HEADERS) === 0; ) {
      const more = await this.read(ms);
      if (more.type !== CONTINUATION) throw new Error('no CONTINUATION');
      whole += more.payload;
      last = more.flags;
    }
    return { type, flags, id, payload, fields: type === HEADERS ? this.#decode(whole) : '' };
  }

  #decode(text: string): string {
    const lines: string[] = [];
    const bytes = Buffer.from(text, 'latin1');
    this.#decoder.begin();
    const sink = { field: ({ name, value }: Field) => lines.push(`${name.text}: ${value}\n`) };
    const end = this.#decoder.decode(bytes, 0, bytes.length, true, sink);
    if (end < 0) throw new Error(this.#decoder.reason);
    return lines.join('');
  }

  /** Reads up to a frame of that type, which is answered; SETTINGS without ACK and windows pass. */
  async until(type: number, id?: number): Promise<Frame> {
    for (;;) {
      const got = await this.read();
      if (got.type === type && (id === undefined || got.id === id)) return got;
    }
  }

  acknowledge(): this {
    return this.send(frame(SETTINGS, ACK, 0));
  }

  window(id: number, more: number): this {
    return this.send(frame(WINDOW_UPDATE, 0, id, uint32(more)));
  }

  settings(...pairs: readonly (readonly [id: number, value: number])[]): this {
    return this.send(frame(SETTINGS, 0, 0, pairs.map(([id, value]) => setting(id, value)).join('')));
  }
}

export class H2Client extends H2End {
  #next = 1;

  /** Connects and says the preface, with settings if any; what the server begins with is not read. */
  static async connect(proxy: Subject, name = '', settings = ''): Promise<H2Client> {
    const client = new H2Client(await proxy.connect(name));
    client.wire.send(PREFACE + frame(SETTINGS, 0, 0, settings));
    return client;
  }

  /** The frames of a request on the next stream, without sending them. `body` undefined: none follows. */
  request(pairs: readonly Pair[], body?: string, flags = END_HEADERS): [id: number, frames: string] {
    const id = this.#next;
    this.#next += 2;
    const head = frame(HEADERS, flags | (body === undefined ? END_STREAM : 0), id, block(pairs));
    return [id, body === undefined ? head : head + frame(DATA, END_STREAM, id, body)];
  }

  /** Sends a request and reads its answer, whatever else comes in between. */
  async ask(pairs: readonly Pair[], body?: string): Promise<Answer> {
    const [id, frames] = this.request(pairs, body);
    this.send(frames);
    return this.answer(id);
  }

  /** Reads the answer on a stream. */
  async answer(id: number): Promise<Answer> {
    let fields = '';
    let body = '';
    let trailers = '';
    let reset = -1;
    for (let ended = false; !ended; ) {
      const got = await this.read();
      if (got.type === GOAWAY) throw new Error(`GOAWAY ${number32(got.payload, 4)}`);
      if (got.id !== id) continue;
      if (got.type === RST_STREAM) {
        reset = number32(got.payload, 0);
        break;
      }
      if (got.type === DATA) body += got.payload;
      else if (got.type === HEADERS && fields === '') fields = got.fields;
      else if (got.type === HEADERS) trailers = got.fields;
      ended = (got.type === DATA || got.type === HEADERS) && (got.flags & END_STREAM) !== 0;
    }
    const status = Number(/^:status: (\d+)$/m.exec(fields)?.[1] ?? 0);
    return { status, fields, body, trailers, reset };
  }

  /** Reads up to GOAWAY: its code, and the last stream that it speaks of. */
  async goaway(): Promise<{ readonly code: number; readonly last: number }> {
    const { payload } = await this.until(GOAWAY);
    return { code: number32(payload, 4), last: number32(payload, 0) };
  }
}
