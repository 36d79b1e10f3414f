/** A connection to a peer turned to TLS: the client's side of the handshake. */
import { ERROR } from '../log/levels.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import { cText } from './openssl.ts';
import type { PeerContext } from './peer-context.ts';
import { keepSessions } from './peer-sessions.ts';
import { OPEN, SHAKING, TlsStream } from './stream.ts';

const CTRL_SET_HOST_NAME = 55;

export class PeerStream extends TlsStream {
  /** Whom the certificate is to be for. */
  host = '';
  readonly #context: PeerContext;
  /** Whose sessions are kept. */
  readonly #peer: object;

  /** The handshake begins with `start`; the handler's `onConnect` follows, or `onEnd`, or `onClose` with `failure`. */
  constructor(plain: Connection, context: PeerContext, peer: object, handler: ConnectionHandler) {
    super(plain, handler, context.at, ERROR);
    this.#context = context;
    this.#peer = peer;
    this.room.ssl.SSL_set_connect_state(this.ssl);
  }

  protected override enter(): void {
    keepSessions(this.#context.sessions, this.#peer);
  }

  protected override step(): number {
    return this.room.ssl.SSL_do_handshake(this.ssl);
  }

  /** Tells the peer which host is meant (RFC 6066 section 3). False: it is no name for that. */
  nameHost(name: string): boolean {
    return this.room.ssl.SSL_ctrl_bytes(this.ssl, CTRL_SET_HOST_NAME, 0, cText(name)) !== 0;
  }

  /** Offers protocols by ALPN, as they go on the wire (RFC 7301). False: OpenSSL can't. */
  offer(protocols: Uint8Array): boolean {
    return this.room.ssl.SSL_set_alpn_protos(this.ssl, protocols, protocols.length) === 0;
  }

  start(): void {
    const { ssl, nothing, input } = this.room;
    const session = this.#context.sessions?.of(this.#peer) ?? 0;
    if (session !== 0) ssl.SSL_set_session(this.ssl, session);
    // The room's input may be another connection's now.
    ssl.BIO_up_ref(nothing);
    ssl.SSL_set0_rbio(this.ssl, nothing);
    this.enter();
    this.shake();
    if (this.state !== SHAKING) return;
    ssl.BIO_up_ref(input);
    ssl.SSL_set0_rbio(this.ssl, input);
  }

  protected override takeUnopened(bytes: Buffer, length: number): void {
    this.enter();
    this.room.feed(bytes, length);
    if (this.shake()) {
      this.handler.onConnect();
      if (this.state === OPEN) {
        this.enter();
        this.read(false);
      }
    }
    if (this.state > OPEN) this.room.drop();
  }

  /** What is wrong with the peer's certificate: a number of OpenSSL's, 0 for nothing. */
  get verdict(): number {
    return this.room.ssl.SSL_get_verify_result(this.ssl);
  }

  /** What such a number means. */
  reason(verdict: number): string {
    return this.room.ssl.X509_verify_cert_error_string(verdict) ?? '';
  }

  /** The peer's certificate is for a host of that name. */
  isFor(name: string): boolean {
    const { ssl } = this.room;
    const certificate = name === '' ? 0 : ssl.SSL_get1_peer_certificate(this.ssl);
    if (certificate === 0) return false;
    const bytes = Buffer.from(name, 'latin1');
    const matches = ssl.X509_check_host(certificate, bytes, bytes.length, 0, 0) === 1;
    ssl.X509_free(certificate);
    return matches;
  }

  override destroy(): void {
    // Not of one that has failed, or that the peer has left.
    if (!this.ended && this.queued === 0) this.shutDown();
    super.destroy();
  }
}
