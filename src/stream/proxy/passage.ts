/** A session that is passed on: peers are tried until one is connected, then bytes go both ways. */
import { parseSize } from '../../config/numbers.ts';
import { ERROR, INFO } from '../../log/levels.ts';
import { type Connection, connect } from '../../net/connection.ts';
import { proxyHeaderV1, proxyHeaderV2 } from '../../net/proxy-header-write.ts';
import { Timer, type TimerOwner, wallClock } from '../../net/timers.ts';
import { PeerStream } from '../../tls/peer-stream.ts';
import { connectBound } from '../../upstream/bind.ts';
import { connectFailure } from '../../upstream/connect-failure.ts';
import { PEER_FAILED, PEER_OK, type PeerGroup, type PeerTls } from '../../upstream/contract.ts';
import { peerFault } from '../../upstream/peer-handshake.ts';
import type { Template } from '../../values/template.ts';
import type { Session, SessionUpstream } from '../session.ts';
import { BAD_GATEWAY, INTERNAL_ERROR, STATUS_OK } from '../verdict.ts';
import { type Attempt, Attempts, type AttemptsOwner } from './attempts.ts';
import type { ProxyConf } from './conf.ts';
import { toTls, whyCut } from './peer-tls.ts';
import { Side, type SideOwner } from './side.ts';

const EMPTY = Buffer.alloc(0);
const CONNECTING_ACTION = 'connecting to upstream';
const SHAKING_ACTION = 'SSL handshaking to upstream';
const PASSING_ACTION = 'proxying connection';

/** `127.0.0.1:80`, `[::1]:80`, `unix:`. */
export const endText = ({ address = '', port = 0 }: { address?: string; port?: number }): string => {
  if (address === '') return 'unix:';
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
};

export class Passage implements SessionUpstream, SideOwner, AttemptsOwner, TimerOwner {
  readonly #tries: Attempts = new Attempts(this);
  readonly #client: Side = new Side(this);
  #peerSide: Side = new Side(this);
  readonly #timer: Timer = new Timer(this);
  readonly #startSecond: number = Math.floor(wallClock() / 1000);
  #connected = false;
  /** TLS is being agreed on with the peer. */
  #shaking = false;
  #halfClosed = false;
  #over = false;
  /** What the present attempt comes from; '' where that is all the same. */
  #from = '';

  constructor(
    readonly session: Session,
    readonly conf: ProxyConf,
  ) {
    const client = this.#client;
    client.connection = session.connection;
    if (session.peeked.length > 0) client.hold(session.peeked);
    session.peeked = EMPTY;
    client.finished = session.connection.ended;
  }

  /** Takes the session over and begins with a group's peers. */
  start(group: PeerGroup<Session>): void {
    const { connection } = this.session;
    connection.handler = this.#client;
    if (this.#client.heldLength < this.conf.proxy_buffer_size) connection.resume();
    this.#tries.start(group);
  }

  get attempts(): readonly Attempt[] {
    return this.#tries.list;
  }

  get attempt(): Attempt {
    return this.#tries.current;
  }

  // ---- attempts

  connect(): void {
    const { session, conf } = this;
    session.action = CONNECTING_ACTION;
    this.#shaking = false;
    const peer = this.#tries.open();
    if (!peer) {
      this.#finalize(BAD_GATEWAY);
      return;
    }
    const side = new Side(this);
    this.#peerSide = side;
    const { proxy_bind: bind } = conf;
    this.#from = bind === 'off' ? '' : bind.address.text(session);
    side.connection =
      bind === 'off' ? connect(peer.to, side) : connectBound(side, this.#from, bind.transparent, peer.to);
    if (side.connection) this.#timer.start(conf.proxy_connect_timeout);
    else this.#finalize(INTERNAL_ERROR);
  }

  #next(): void {
    const side = this.#peerSide;
    this.#timer.stop();
    this.#tries.release(PEER_FAILED);
    if (!this.#tries.goOn) {
      this.#finalize(BAD_GATEWAY);
      return;
    }
    this.attempt.sent = side.sent;
    this.#peerSide = new Side(this);
    side.leave();
    this.connect();
  }

  onConnected(): void {
    if (this.#over) return;
    const { session, conf } = this;
    const { connection } = this.#peerSide;
    if (!connection) return;
    if (connection instanceof PeerStream) {
      if (conf.tls && !this.#shaken(connection, conf.tls)) return;
    } else {
      if (conf.proxy_socket_keepalive) connection.socket.setKeepAlive();
      this.#greet();
      if (conf.tls) {
        this.#shake(connection, conf.tls);
        return;
      }
    }
    if (session.errorLog.level >= INFO) {
      session.note(INFO, `proxy ${endText(connection.socket.localName())} connected to ${this.attempt.peer}`);
    }
    this.#tries.connected();
    this.#client.rate = this.#rate(conf.proxy_upload_rate);
    this.#peerSide.rate = this.#rate(conf.proxy_download_rate);
    this.#connected = true;
    this.#feed(this.#client);
  }

  /** Turns the connection to TLS; `onConnected` follows once more, or `onSideEnd`, or `onGone`. */
  #shake(plain: Connection, tls: PeerTls<Session>): void {
    const { session, conf } = this;
    const { peer, groupName } = this.#tries;
    if (!peer) return;
    const stream = toTls(session, conf, tls, this.#peerSide, plain, peer, groupName);
    if (!stream) {
      this.#finalize(INTERNAL_ERROR);
      return;
    }
    session.action = SHAKING_ACTION;
    this.#shaking = true;
    this.#timer.start(conf.proxy_connect_timeout);
    stream.start();
  }

  /** The handshake is done. False: the peer is not whom the configuration wants, and the next one is tried. */
  #shaken(stream: PeerStream, tls: PeerTls<Session>): boolean {
    const fault = peerFault(stream, tls);
    if (fault !== '') {
      this.log(ERROR, fault);
      this.#next();
      return false;
    }
    this.#shaking = false;
    return true;
  }

  /** The peer is gone in the middle of the handshake. */
  #cut(side: Side): void {
    const { level, text } = whyCut(side);
    this.log(level, text);
    this.#next();
  }

  /** Sends the PROXY header that `proxy_protocol` asks for. */
  #greet(): void {
    const { session, conf } = this;
    if (conf.proxy_protocol === 'off') return;
    const { remoteAddress, remotePort } = session;
    const { address = '', port = 0 } = session.local;
    const ends = { remoteAddress, remotePort, localAddress: address, localPort: port };
    const { connection } = this.#peerSide;
    if (conf.proxy_protocol === 'on') connection?.writeText(proxyHeaderV1(ends));
    else connection?.writeBytes(proxyHeaderV2(ends));
  }

  #rate(value: Template<Session> | undefined): number {
    if (!value) return 0;
    return parseSize(value.text(this.session)) ?? 0;
  }

  // ---- bytes

  onBytes(side: Side, bytes: Buffer, length: number): void {
    if (this.#over) return;
    if (this.#connected && side.rate === 0 && side.heldLength === 0) {
      this.#pass(side, bytes.subarray(0, length));
      if (!this.#over) this.#renew();
      return;
    }
    side.hold(Buffer.from(bytes.subarray(0, length)));
    if (side.heldLength >= this.conf.proxy_buffer_size) side.connection?.pause();
    if (this.#connected) this.#feed(side);
  }

  /** Takes what a side holds, as fast as its rate allows. */
  #feed(side: Side): void {
    const { proxy_buffer_size: most } = this.conf;
    while (!this.#over && !side.delayed && side.heldLength > 0 && !this.#other(side).connection?.congested) {
      const room = side.rate > 0 ? this.#allowed(side, most) : most;
      const piece = room > 0 ? side.take(room) : undefined;
      if (!piece) break;
      this.#pass(side, piece);
      const pause = side.rate > 0 ? Math.floor((piece.length * 1000) / side.rate) : 0;
      if (pause > 0) side.delay(pause);
    }
    if (this.#over) return;
    if (side.heldLength < most && !this.#other(side).connection?.congested) side.connection?.resume();
    if (side.heldLength === 0 && side.finished) side.ended = true;
    this.#settle(side);
  }

  /** How many bytes may be taken now; with 0 a pause has begun. */
  #allowed(side: Side, most: number): number {
    const passed = Math.floor(wallClock() / 1000) - this.#startSecond + 1;
    const limit = side.rate * passed - side.received;
    if (limit > 0) return Math.min(most, limit);
    side.delay(Math.floor((-limit * 1000) / side.rate) + 1);
    return 0;
  }

  /** Passes bytes on, which are only there during the call. */
  #pass(side: Side, bytes: Uint8Array): void {
    side.received += bytes.length;
    if (side === this.#client) this.session.received += bytes.length;
    else this.#tries.answered();
    const target = this.#other(side).connection;
    if (target && !target.closed && !target.writeCopy('', bytes)) side.connection?.pause();
  }

  #other(side: Side): Side {
    return side === this.#client ? this.#peerSide : this.#client;
  }

  onRoom(side: Side): void {
    if (!this.#over && this.#connected) this.#feed(this.#other(side));
  }

  onPauseOver(side: Side): void {
    if (!this.#over) this.#feed(side);
  }

  onSideEnd(side: Side): void {
    if (this.#over || (side !== this.#client && side !== this.#peerSide)) return;
    if (this.#shaking && side !== this.#client) {
      this.#cut(side);
      return;
    }
    side.finished = true;
    if (this.#connected) this.#feed(side);
  }

  /** After each step: the session is over, or goes on. `from`: whose bytes the step was about. */
  #settle(from: Side): void {
    const client = this.#client;
    const peer = this.#peerSide;
    this.session.action = PASSING_ACTION;
    if (client.ended || peer.ended) {
      const waits = (!client.ended && client.busy) || (!peer.ended && peer.busy);
      const both = client.ended && peer.ended && !client.busy && !peer.busy;
      if (this.conf.proxy_half_close ? both : !waits) {
        this.#disconnected(from);
        return;
      }
      for (const side of [client, peer]) if (side.ended) this.#flush(this.#other(side));
    }
    this.#renew();
  }

  /** The other side has said all: what waits is sent, and with `proxy_half_close` this one is told that no more comes. */
  #flush(side: Side): void {
    const { connection } = side;
    if (!connection || connection.closed) return;
    if (side.busy) {
      if (!connection.blocked) connection.writeAndTell(EMPTY);
    } else if (this.conf.proxy_half_close && !this.#halfClosed) {
      this.#halfClosed = true;
      connection.halfClose();
    }
  }

  #disconnected(from: Side): void {
    const who = from === this.#client ? 'client' : 'upstream';
    this.session.note(INFO, `${who} disconnected${this.#counts()}`);
    this.#finalize(STATUS_OK);
  }

  /** The session may be silent for so long, except while its rates keep it waiting. */
  #renew(): void {
    if (this.#client.delayed || this.#peerSide.delayed) this.#timer.stop();
    else this.#timer.start(this.conf.proxy_timeout);
  }

  onTimer(): void {
    if (this.#over) return;
    if (this.#connected) {
      this.session.log(INFO, 'connection timed out (110: Connection timed out)');
      this.#finalize(STATUS_OK);
      return;
    }
    // Of a handshake that takes too long nginx says nothing.
    if (!this.#shaking) this.log(ERROR, 'upstream timed out (110: Connection timed out)');
    this.#next();
  }

  // ---- ends

  /** A connection is gone: it could not be made, it broke, or an end came that was told before. */
  onGone(side: Side): void {
    if (this.#over || (side !== this.#client && side !== this.#peerSide)) return;
    const error = side.connection?.error;
    const isClient = side === this.#client;
    if (!isClient && this.#shaking) {
      this.#cut(side);
      return;
    }
    if (!isClient && !this.#connected) {
      const { level, message, final } = connectFailure(error, this.#tries.peer, this.#from);
      this.log(level, message);
      if (final) this.#finalize(INTERNAL_ERROR);
      else this.#next();
      return;
    }
    const { trouble } = side;
    if (trouble) {
      const { text, level = isClient ? INFO : ERROR, reading } = trouble;
      const name = isClient ? 'client' : 'upstream';
      this.session.action = `proxying and ${reading ? 'reading from' : 'sending to'} ${name}`;
      this.session.log(level, text);
      this.session.action = this.#connected ? PASSING_ACTION : CONNECTING_ACTION;
      if (!reading) {
        this.#finalize(STATUS_OK);
        return;
      }
    }
    side.finished = true;
    if (this.#connected) this.#feed(side);
  }

  /** Ends the session from outside: the worker's time is over. */
  abort(): void {
    this.#finalize(STATUS_OK);
  }

  #finalize(status: number): void {
    if (this.#over) return;
    this.#over = true;
    const { attempt } = this;
    this.#timer.remove();
    this.#tries.end();
    attempt.received = this.#peerSide.received;
    attempt.sent = this.#peerSide.sent;
    this.#tries.release(PEER_OK);
    this.#peerSide.leave();
    this.session.finalize(status);
    this.#client.stop();
  }

  /** A session that can't be passed on at all. */
  refuse(): void {
    this.#finalize(INTERNAL_ERROR);
  }

  // ---- logging

  invalid(level: number, message: string): void {
    this.session.log(level, message);
  }

  log(level: number, message: string): void {
    this.session.log(level, message);
  }

  describe(): string {
    const { peer } = this.attempt;
    return (peer === '' ? '' : `, upstream: "${peer}"`) + this.#counts();
  }

  #counts(): string {
    const { received, sent } = this.session;
    const peer = this.#peerSide;
    return `, bytes from/to client:${received}/${sent}, bytes from/to upstream:${peer.received}/${peer.sent}`;
  }
}
