/** A client's connection turned to TLS: the server's side of the handshake. */
import { INFO } from '../log/levels.ts';
import { type Connection, type ConnectionHandler, READ_SIZE } from '../net/connection.ts';
import type { Alpn } from './alpn.ts';
import { enter, type Party } from './callbacks.ts';
import type { TlsContext } from './context.ts';
import { takeErrors, WANT_READ, WANT_WRITE } from './errors.ts';
import { copyOf, pointerIn } from './openssl.ts';
import { LARGEST_RECORD } from './room.ts';
import type { SessionStore } from './session-store.ts';
import { EARLY, EXAMINED, OPEN, SHAKING, TlsStream } from './stream.ts';
import type { TicketKeys } from './tickets.ts';

/** What a server of the configuration offers. */
export interface TlsServer {
  /** undefined: the default server's of the address. */
  readonly context: TlsContext | undefined;
  /** The most bytes of a record (`ssl_buffer_size`). */
  readonly fragment: number;
}

/** How a handshake begins. */
export interface TlsBeginning {
  /** The default server of the address, which sessions belong to, and the one that was asked for. */
  readonly fallback: TlsServer;
  readonly server: TlsServer;
  /** What ALPN may choose from. */
  readonly alpn: Alpn;
  /** Chooses certificates by variables. */
  readonly certify: ((connection: TlsConnection) => boolean) | undefined;
  /** Asks whether the client may go on, once the handshake is done; calls `TlsConnection.admit` later if it answers false. */
  readonly examine: ((connection: TlsConnection) => boolean) | undefined;
}

const CTRL_SET_MAX_SEND_FRAGMENT = 52;
const OP_NO_RENEGOTIATION = 2 ** 30;
const EARLY_SUCCESS = 1;
const EARLY_FINISH = 2;

const SMALLEST_FRAGMENT = 512;

export class TlsConnection extends TlsStream implements Party {
  /** What the examination of the client's certificate has found wrong; '' when nothing. */
  objection = '';
  /** Told when the connection is gone. */
  onGone: (() => void) | undefined = undefined;
  readonly store: SessionStore | undefined;
  readonly tickets: TicketKeys | undefined;
  readonly sessionTimeout: number;
  readonly #begin: TlsBeginning;
  #timed = false;
  #turnedAway = false;
  /** Those above know that requests may come. */
  #announced = false;
  /** Bytes that wait until the client has been examined. */
  #held: Buffer | undefined = undefined;

  constructor(plain: Connection, begin: TlsBeginning, context: TlsContext, handler: ConnectionHandler) {
    super(plain, handler, context.at, INFO);
    this.#begin = begin;
    this.store = context.store;
    this.tickets = context.tickets;
    this.sessionTimeout = context.timeout;
    const { ssl } = this.room;
    if (context.earlyData) {
      ssl.SSL_set_accept_state(this.ssl);
      this.state = EARLY;
    }
    const chosen = begin.server.context;
    if (chosen && chosen !== context) this.#use(chosen);
    // What TLS 1.3 calls a ticket would be of no use to anybody.
    if (context.forgets && (chosen ?? context).ticketless) ssl.SSL_set_num_tickets(this.ssl, 0);
    const { fragment } = begin.server;
    if (fragment < LARGEST_RECORD)
      ssl.SSL_ctrl(this.ssl, CTRL_SET_MAX_SEND_FRAGMENT, Math.max(SMALLEST_FRAGMENT, fragment), 0);
  }

  /** Another server's certificates, and what goes with them. */
  #use({ at }: TlsContext): void {
    const { ssl } = this.room;
    ssl.SSL_set_SSL_CTX(this.ssl, at);
    ssl.SSL_set_verify(this.ssl, ssl.SSL_CTX_get_verify_mode(at), ssl.SSL_CTX_get_verify_callback(at));
    ssl.SSL_set_verify_depth(this.ssl, ssl.SSL_CTX_get_verify_depth(at));
    ssl.SSL_clear_options(this.ssl, ssl.SSL_get_options(this.ssl));
    ssl.SSL_set_options(this.ssl, ssl.SSL_CTX_get_options(at));
    ssl.SSL_set_options(this.ssl, OP_NO_RENEGOTIATION);
  }

  // ---- what the callbacks ask

  get offered(): Buffer {
    return this.#begin.alpn.bytes;
  }

  get offeredAt(): number {
    return this.#begin.alpn.at;
  }

  certify(): boolean {
    return this.#begin.certify?.(this) ?? true;
  }

  turnAway(): void {
    this.#turnedAway = true;
  }

  staple(certificate: number): Buffer | undefined {
    const { server, fallback } = this.#begin;
    return (server.context ?? fallback.context)?.staples.get(certificate)?.current();
  }

  // ---- reading

  /** Begins the handshake with what has been read so far: `length` bytes, from the first of the hello. */
  start(hello: Buffer, length: number): void {
    this.take(hello, length);
  }

  protected override failBy(error: number, text: string): void {
    if (!this.#turnedAway || this.state === EARLY) {
      super.failBy(error, text);
      return;
    }
    takeErrors();
    this.fail({ text: 'handshake rejected', level: INFO });
  }

  protected override enter(): void {
    enter(this);
  }

  protected override step(): number {
    return this.room.ssl.SSL_accept(this.ssl);
  }

  protected override takeUnopened(bytes: Buffer, length: number): void {
    if (this.state === EXAMINED) {
      this.#hold(bytes.subarray(0, length));
      return;
    }
    enter(this);
    this.out.hold();
    this.room.feed(bytes, length);
    if (this.state === EARLY) this.#readEarly();
    if (this.state === SHAKING) this.#shake();
    if (this.state === OPEN) this.read(false);
    if (this.state > OPEN) this.room.drop();
    this.out.letGo();
  }

  #shake(): void {
    if (this.shake()) this.#afterHandshake();
    else if (this.state === SHAKING && !this.#timed) this.#limitSession();
  }

  #afterHandshake(): void {
    const { examine } = this.#begin;
    if (!examine || examine(this)) {
      if (!this.#announced) this.handler.onConnect();
      return;
    }
    this.state = EXAMINED;
    this.pause();
    const { ssl, input } = this.room;
    const rest = Buffer.allocUnsafe(READ_SIZE);
    const length = ssl.BIO_read(input, rest, rest.length);
    if (length > 0) this.#hold(rest.subarray(0, length));
  }

  #hold(bytes: Buffer): void {
    this.#held = this.#held ? Buffer.concat([this.#held, bytes]) : Buffer.from(bytes);
  }

  /** The examination is over; `objection` is what is wrong with the client's certificate, or ''. */
  admit(objection: string): void {
    if (this.state !== EXAMINED || this.closed) return;
    this.objection = objection;
    this.state = OPEN;
    this.handler.onConnect();
    const held = this.#held;
    this.#held = undefined;
    if (held) this.room.feed(held, held.length);
    enter(this);
    this.read(false);
    if (!this.closed) this.resume();
  }

  /**
   * A session of TLS 1.3 that is resumed gets no new time to live: OpenSSL counts from now, with the time as it was,
   * and would go on for ever.
   */
  #limitSession(): void {
    const { ssl } = this.room;
    this.#timed = true;
    if (ssl.SSL_session_reused(this.ssl) === 0) return;
    const session = ssl.SSL_get_session(this.ssl);
    if (session === 0) return;
    const age = Math.floor(Date.now() / 1000) - ssl.SSL_SESSION_get_time(session);
    const left = Math.min(ssl.SSL_SESSION_get_timeout(session), this.sessionTimeout) - age;
    if (left <= 0) {
      ssl.SSL_SESSION_set1_id_context(session, null, 0);
      return;
    }
    ssl.SSL_SESSION_set_time(session, Math.floor(Date.now() / 1000));
    ssl.SSL_SESSION_set_timeout(session, left);
  }

  /** Early data (RFC 8446 section 2.3): requests before the handshake is done. */
  #readEarly(): void {
    const { ssl, plain, plainAt, count } = this.room;
    for (;;) {
      const found = ssl.SSL_read_early_data(this.ssl, plainAt, plain.length, count);
      const length = Number(count.readBigUInt64LE());
      if (found === EARLY_FINISH) {
        this.out.flush();
        this.state = SHAKING;
        return;
      }
      if (found === EARLY_SUCCESS) {
        this.out.flush();
        if (!this.#announced) {
          this.#announced = true;
          this.handler.onConnect();
        }
        if (length > 0) this.handler.onRead(plain, length);
        if (this.state !== EARLY) return;
        continue;
      }
      const error = ssl.SSL_get_error(this.ssl, 0);
      if (error === WANT_WRITE) {
        this.out.spill();
        continue;
      }
      this.out.flush();
      if (error !== WANT_READ) this.failBy(error, 'SSL_read_early_data() failed');
      else if (!this.#timed) this.#limitSession();
      return;
    }
  }

  /** The client has shown a certificate. */
  get peerCertificate(): boolean {
    if (this.ssl === 0) return false;
    const { ssl } = this.room;
    const at = ssl.SSL_get1_peer_certificate(this.ssl);
    ssl.X509_free(at);
    return at !== 0;
  }

  /** The protocol that ALPN chose: `h2`, `http/1.1`; '' where the client offered none of ours. */
  get alpn(): string {
    if (this.ssl === 0) return '';
    const { ssl, count } = this.room;
    const length = Buffer.alloc(4);
    ssl.SSL_get0_alpn_selected(this.ssl, count, length);
    return copyOf(pointerIn(count), length.readUInt32LE()).toString('latin1');
  }

  /** The session can't be resumed: the client was refused. */
  forgetSession(): void {
    const { ssl } = this.room;
    const { context } = this.#begin.fallback;
    const session = ssl.SSL_get_session(this.ssl);
    enter(this);
    if (session !== 0 && context) ssl.SSL_CTX_remove_session(context.at, session);
  }

  override release(): void {
    if (this.ssl !== 0) this.onGone?.();
    super.release();
  }
}

/**
 * Begins the handshake as a server. The handler's `onConnect` follows when it is done, or `onClose` with
 * `TlsConnection.failure`.
 */
export const startTls = (
  plain: Connection,
  begin: TlsBeginning,
  handler: ConnectionHandler,
): TlsConnection => {
  const { context } = begin.fallback;
  if (!context) throw new Error('a default server without a context');
  return new TlsConnection(plain, begin, context, handler);
};
