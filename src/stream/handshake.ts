/** The TLS handshake of a session, in its ssl phase: the name in the hello chooses the server. */
import { ALERT, ERROR, INFO } from '../log/levels.ts';
import { HelloReader, serverName } from '../net/client-hello.ts';
import type { ConnectionHandler } from '../net/connection.ts';
import { monotonic } from '../net/timers.ts';
import { errorText } from '../platform/errno.ts';
import { startTls, type TlsConnection } from '../tls/connection.ts';
import type { Session } from './session.ts';
import { INTERNAL_ERROR } from './verdict.ts';

const NO_BYTES = Buffer.alloc(0);
const CUT = 'peer closed connection in SSL handshake';

export class Handshake implements ConnectionHandler {
  /** Made for a hello that has not come whole. */
  #hello: HelloReader | undefined = undefined;
  #connection: TlsConnection | undefined = undefined;
  readonly #begun = monotonic();

  constructor(readonly session: Session) {}

  /** The session resumes when it is done. */
  start(): void {
    const { session } = this;
    const { connection, peeked, address } = session;
    session.action = 'SSL handshaking';
    session.peeked = NO_BYTES;
    connection.handler = this;
    connection.timer.start(address.fallback.tls.timeout);
    if (peeked.length > 0) this.onRead(peeked, peeked.length);
    if (session.connection === connection) connection.resume();
  }

  onRead(bytes: Buffer, length: number): void {
    if (!this.#hello) {
      const name = serverName(bytes, length);
      if (name !== undefined) {
        this.#begin(name, bytes, length);
        return;
      }
      this.#hello = new HelloReader();
    }
    const name = this.#hello.read(bytes, length);
    if (name === undefined) return;
    const { bytes: all } = this.#hello;
    this.#begin(name, all, all.length);
  }

  /** The handshake, with what the server has that the client asks for; `hello` has begun it. */
  #begin(name: string, hello: Buffer, length: number): void {
    const { session } = this;
    session.chooseServer(name);
    const { address, server } = session;
    const { own: fallback, timeout } = address.fallback.tls;
    if (!fallback) throw new Error('a default server without a certificate');
    const keeper = server.tls.own ? server.tls : address.fallback.tls;
    const { certify, examine } = keeper.own ?? fallback;
    const connection = startTls(
      session.connection,
      {
        fallback,
        server: keeper.own ?? fallback,
        alpn: keeper.alpn,
        certify:
          certify &&
          ((tls) => {
            const problem = certify(session, tls);
            if (problem !== '') session.log(ERROR, problem);
            return problem === '';
          }),
        examine: examine && ((tls) => examine(tls, (level, message) => session.log(level, message))),
      },
      this,
    );
    this.#connection = connection;
    session.connection = connection;
    session.tls = connection;
    connection.timer.start(Math.max(1, timeout - (monotonic() - this.#begun)));
    connection.start(hello, length);
    if (connection.handler === this && !connection.closed) connection.resume();
  }

  /** The handshake is done. */
  onConnect(): void {
    const { session } = this;
    const connection = this.#connection;
    if (!connection) return;
    connection.timer.stop();
    connection.pause();
    connection.handler = session;
    if (connection.leftover !== '')
      session.log(ALERT, `ignoring stale global SSL error${connection.leftover}`);
    session.resume();
  }

  onEnd(): void {
    if (this.#connection) this.#connection.destroy();
    else this.#cut();
  }

  onTimeout(): void {
    this.session.finalize(INTERNAL_ERROR);
  }

  onClose(): void {
    const failure = this.#connection?.failure;
    if (this.session.over) return;
    if (!failure) {
      this.#cut();
      return;
    }
    this.session.log(failure.level, failure.text);
    this.session.finalize(INTERNAL_ERROR);
  }

  /** The client has closed the connection. */
  #cut(): void {
    const { session } = this;
    const { error } = session.connection;
    session.log(INFO, error ? `${CUT} (${errorText(error)})` : CUT);
    session.finalize(INTERNAL_ERROR);
  }

  onDrain(): void {}
}
