/**
 * A socket that TLS runs over, in either role. It goes on reading into the buffer that all sockets share; OpenSSL
 * decrypts into another one. How a connection comes to be open is its role's to say.
 */
import { INFO } from '../log/levels.ts';
import { Connection, type ConnectionHandler } from '../net/connection.ts';
import { errnoText } from '../platform/errno.ts';
import { lastErrno } from '../platform/libc.ts';
import { levelOfLastError } from './error-levels.ts';
import { SYSCALL, takeErrors, WANT_READ, WANT_WRITE, ZERO_RETURN } from './errors.ts';
import { TlsOutput } from './output.ts';
import { LARGEST_RECORD, type Room, roomOf } from './room.ts';

/** Why TLS has failed: nginx's message, and its level. */
export interface TlsFailure {
  readonly text: string;
  readonly level: number;
}

/** Where a connection stands. */
export const SHAKING = 0;
/** Early data of the client is being read. */
export const EARLY = 1;
/** The client's certificate is being examined. */
export const EXAMINED = 2;
export const OPEN = 3;
/** Our side is shut: what still comes is not looked at. */
export const ENDED = 4;
const GONE = 5;

const SENT_SHUTDOWN = 1;
const RECEIVED_SHUTDOWN = 2;
const APPLICATION_DATA = 23;
const RECORD_HEAD = 5;

export abstract class TlsStream extends Connection {
  /** OpenSSL's connection; 0 once it is gone. */
  ssl: number;
  failure: TlsFailure | undefined = undefined;
  /** What OpenSSL had queued behind a handshake that went well: it would be taken for the next call's failure. */
  leftover = '';
  protected state = SHAKING;
  protected readonly room: Room = roomOf();
  protected readonly out: TlsOutput;
  /** OpenSSL holds no part of a record. */
  #aligned = false;
  /** A read is being dealt with. */
  #reading = false;
  /** OpenSSL knows that the connection ends in order. */
  #shut = false;

  /** `context`: the SSL_CTX; `ordinary`: the level of failures that the other side can cause. */
  constructor(
    plain: Connection,
    handler: ConnectionHandler,
    context: number,
    readonly ordinary: number,
  ) {
    super(plain.socket, handler, plain.number);
    this.replace(plain);
    const { ssl, input } = this.room;
    this.ssl = ssl.SSL_new(context);
    ssl.BIO_up_ref(input);
    ssl.SSL_set0_rbio(this.ssl, input);
    this.out = new TlsOutput(this, this.room, this.ssl);
  }

  /** What the library asks for next is about this connection. */
  protected abstract enter(): void;

  /** Bytes have come before the connection is open. */
  protected abstract takeUnopened(bytes: Buffer, length: number): void;

  /** OpenSSL's next step, in our role. */
  protected abstract step(): number;

  /** Goes on with the handshake. True: it is done; else more has to come, or it has failed. */
  protected shake(): boolean {
    const { ssl } = this.room;
    for (;;) {
      const done = this.step();
      if (done === 1) {
        this.state = OPEN;
        this.leftover = ssl.ERR_peek_error() === 0 ? '' : takeErrors();
        this.out.flush();
        return true;
      }
      const error = ssl.SSL_get_error(this.ssl, done);
      if (error === WANT_WRITE) {
        this.out.spill();
        continue;
      }
      this.out.flush();
      if (error !== WANT_READ) this.failBy(error, 'SSL_do_handshake() failed');
      return false;
    }
  }

  // ---- reading

  override take(bytes: Buffer, length: number): void {
    if (this.state === OPEN) {
      this.enter();
      this.room.feed(bytes, length);
      const single =
        this.#aligned && bytes[0] === APPLICATION_DATA && bytes.readUInt16BE(3) + RECORD_HEAD === length;
      this.#reading = true;
      this.read(single);
      this.#reading = false;
      if (this.out.held) this.out.letGo();
    } else if (this.state < OPEN) {
      this.takeUnopened(bytes, length);
    } else if (this.state === ENDED) {
      this.handler.onRead(bytes, length);
    }
  }

  override gather(): void {
    if (this.#reading) this.out.hold();
  }

  /** Decrypts what has come; `single`: it is exactly one record. */
  protected read(single: boolean): void {
    const { ssl, plain, plainAt } = this.room;
    let filled = 0;
    for (;;) {
      const got = ssl.SSL_read(this.ssl, plainAt + filled, plain.length - filled);
      if (got > 0) {
        filled += got;
        if (single) {
          this.handler.onRead(plain, filled);
          return;
        }
        if (this.room.drained && ssl.SSL_has_pending(this.ssl) === 0) {
          this.#aligned = true;
          this.out.flush();
          this.handler.onRead(plain, filled);
          return;
        }
        if (plain.length - filled >= LARGEST_RECORD) continue;
        this.handler.onRead(plain, filled);
        filled = 0;
        if (this.state !== OPEN) {
          this.room.drop();
          return;
        }
        this.enter();
        continue;
      }
      const error = ssl.SSL_get_error(this.ssl, got);
      if (error === WANT_READ) break;
      if (error === WANT_WRITE) {
        this.out.spill();
        continue;
      }
      this.#finishReading(error, filled);
      return;
    }
    this.#aligned = ssl.SSL_has_pending(this.ssl) === 0;
    this.out.flush();
    if (filled > 0) this.handler.onRead(plain, filled);
  }

  /** The peer's last byte, or an error, behind what has been decrypted. */
  #finishReading(error: number, filled: number): void {
    const { ssl, plain } = this.room;
    this.room.drop();
    const clean = error === ZERO_RETURN || ssl.ERR_peek_error() === 0;
    const level = clean ? INFO : levelOfLastError(error, this.ordinary);
    const text = clean ? '' : `SSL_read() failed${takeErrors()}`;
    if (filled > 0) this.handler.onRead(plain, filled);
    if (this.state !== OPEN) return;
    if (clean) {
      this.ended = true;
      this.handler.onEnd();
      return;
    }
    this.fail({ text, level });
  }

  /** Ends a handshake that has failed with `error` of SSL_get_error. */
  protected failBy(error: number, text: string): void {
    const { ssl } = this.room;
    if (error === ZERO_RETURN || ssl.ERR_peek_error() === 0) {
      this.fail({ text: 'peer closed connection in SSL handshake', level: this.ordinary });
      return;
    }
    const level = levelOfLastError(error, this.ordinary);
    this.fail({ text: `${text}${takeErrors()}`, level });
  }

  protected fail(failure: TlsFailure): void {
    this.failure = failure;
    this.state = GONE;
    this.out.letGo();
    super.close();
  }

  // ---- writing

  override writeText(text: string): boolean {
    const { text: buffer, textAt } = this.room;
    if (text.length > buffer.length) return this.writeBytes(Buffer.from(text, 'latin1'));
    buffer.latin1Write(text, 0);
    return this.#write(textAt, text.length);
  }

  /** What is written need not stay as it is: OpenSSL has taken it when this is over. */
  override writeBytes(bytes: Uint8Array): boolean {
    return this.#write(bytes, bytes.length);
  }

  override writeCopy(text: string, bytes: Uint8Array): boolean {
    return text === '' ? this.writeBytes(bytes) : this.writeBoth(text, bytes);
  }

  override writeBoth(text: string, bytes: Uint8Array): boolean {
    const { text: buffer, textAt } = this.room;
    const { length } = text;
    if (length + bytes.length <= buffer.length) {
      buffer.latin1Write(text, 0);
      buffer.set(bytes, length);
      return this.#write(textAt, length + bytes.length);
    }
    const go = this.writeText(text);
    return this.writeBytes(bytes) && go;
  }

  /** Between a socket's end and the news of it its descriptor may be another's already. */
  get #unwritable(): boolean {
    return this.state >= ENDED || this.ssl === 0 || this.socket.destroyed;
  }

  #write(source: number | Uint8Array, length: number): boolean {
    if (length === 0) return !this.blocked;
    if (this.#unwritable) return this.#wait();
    this.sent += length;
    const { out } = this;
    // Before the handshake is done only requests in early data are answered, behind the end of that data too.
    const error = this.state <= EARLY ? out.writeEarly(source, length) : out.write(source, length);
    if (error === 0) return out.flush();
    // Behind the peer's close_notify OpenSSL says ZERO_RETURN where the system has refused the bytes.
    const refused = error === SYSCALL || error === ZERO_RETURN;
    const errno = refused ? ` (${errnoText(lastErrno())})` : '';
    const level = refused ? this.ordinary : levelOfLastError(error, this.ordinary);
    this.failure = { text: `SSL_write() failed${takeErrors()}${errno}`, level };
    this.state = GONE;
    // As for any socket, those above hear of it later.
    this.destroy();
    return this.#wait();
  }

  /** What a write says that came to nothing: nobody is to write on and on to a socket that is gone. */
  #wait(): boolean {
    if (this.socket.destroyed) this.blocked = true;
    return !this.blocked;
  }

  /** close_notify: the peer can tell the end from a cut. Not for one that has ended first. */
  protected shutDown(): void {
    if (this.state !== OPEN || this.ended || this.#unwritable) return;
    const { ssl } = this.room;
    this.out.ready();
    ssl.SSL_set_shutdown(this.ssl, RECEIVED_SHUTDOWN);
    this.#shut = true;
    if (ssl.SSL_shutdown(this.ssl) < 0) ssl.ERR_clear_error();
    this.out.flush();
  }

  override end(): void {
    this.shutDown();
    this.out.letGo();
    this.state = ENDED;
    super.end();
  }

  /** The socket's side alone, as nginx does: what comes is decrypted as before. */
  override halfClose(): void {
    this.out.letGo();
    super.end();
  }

  override close(): void {
    this.shutDown();
    this.out.letGo();
    this.state = GONE;
    super.close();
  }

  override destroy(): void {
    this.state = GONE;
    super.destroy();
  }

  override reset(): void {
    this.state = GONE;
    super.reset();
  }

  override release(): void {
    if (this.ssl === 0) return;
    const { ssl } = this.room;
    // Otherwise OpenSSL forgets the session, as of a connection that was cut.
    if (this.failure === undefined && !this.#shut)
      ssl.SSL_set_shutdown(this.ssl, SENT_SHUTDOWN | RECEIVED_SHUTDOWN);
    this.enter();
    ssl.SSL_free(this.ssl);
    this.ssl = 0;
    this.out.close();
  }
}
