/** A session of datagrams that is passed on: each goes to the peer as it came, and so do the peer's to the client. */
import { parseSize } from '../../config/numbers.ts';
import { ALERT, CRIT, ERROR, INFO } from '../../log/levels.ts';
import type { Readable } from '../../net/datagram-socket.ts';
import { proxyHeaderV1, proxyHeaderV2 } from '../../net/proxy-header-write.ts';
import { Timer, type TimerOwner } from '../../net/timers.ts';
import { EAGAIN, EINTR, received } from '../../platform/datagrams.ts';
import { errnoText } from '../../platform/errno.ts';
import { SystemError } from '../../platform/libc.ts';
import { localAddress } from '../../upstream/bind.ts';
import { PEER_FAILED, PEER_OK, type Peer, type PeerGroup } from '../../upstream/contract.ts';
import type { Template } from '../../values/template.ts';
import { type DatagramClient, type DatagramTaker, sendFailureLevel } from '../datagram-client.ts';
import type { Session, SessionUpstream } from '../session.ts';
import { BAD_GATEWAY, INTERNAL_ERROR, STATUS_OK } from '../verdict.ts';
import { type Attempt, Attempts, type AttemptsOwner } from './attempts.ts';
import { type ProxyConf, UNLIMITED } from './conf.ts';
import { DatagramPeer, type Source } from './datagram-peer.ts';
import { DatagramQueue } from './datagram-queue.ts';
import { Pace } from './pace.ts';
import { endText } from './passage.ts';

const EMPTY = Buffer.alloc(0);
/** So many of a peer's datagrams are taken at once; other sockets come first then. */
const BATCH = 256;
/** When a datagram that the system had no room for is tried again, ms. */
const AGAIN_MS = 1;

/** Failures of connect() that tell of the peer or the way to it: all others are critical. */
const UNREACHABLE = new Set([11, 100, 101, 104, 111, 112, 113]);

export class DatagramPassage implements SessionUpstream, AttemptsOwner, TimerOwner, DatagramTaker, Readable {
  readonly #tries: Attempts = new Attempts(this);
  /** Datagrams of the client, and of the peer. */
  #requests = 1;
  #responses = 0;
  /** Bytes of the peer. */
  #received = 0;
  /** The session's silence. */
  readonly #timer: Timer = new Timer(this);
  readonly #clientPace: Pace = new Pace(this);
  readonly #peerPace: Pace = new Pace(this);
  readonly #peerRetry: Timer = new Timer(this);
  #peer: DatagramPeer | undefined = undefined;
  readonly #waiting: DatagramQueue = new DatagramQueue();
  #over = false;

  constructor(
    readonly session: Session,
    readonly client: DatagramClient,
    readonly conf: ProxyConf,
  ) {}

  /** Takes the session over and begins with a group's peers. */
  start(group: PeerGroup<Session>): void {
    this.client.taker = this;
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
    const { session } = this;
    session.action = 'connecting to upstream';
    const peer = this.#tries.open();
    if (!peer) {
      this.#finalize(BAD_GATEWAY);
      return;
    }
    const { proxy_bind: bind } = this.conf;
    const from = bind === 'off' ? '' : bind.address.text(session);
    try {
      this.#peer = DatagramPeer.connected(peer.to, this.#local(from, peer), this);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      this.#failed(error, from, peer);
      return;
    }
    this.#connected(this.#peer);
  }

  /** What `proxy_bind` says about the socket to a peer. */
  #local(from: string, { to }: Peer): Source | undefined {
    const { proxy_bind: bind } = this.conf;
    const local = from === '' || to.path !== undefined ? undefined : localAddress(this, from);
    return local && { local, transparent: bind !== 'off' && bind.transparent };
  }

  /** There is no socket, which another peer would not change; or none to this peer. */
  #failed({ call, errno, message }: SystemError, from: string, peer: Peer): void {
    if (call === 'connect()') {
      const level = UNREACHABLE.has(errno) ? ERROR : CRIT;
      this.log(level, `connect() to ${peer.name} failed (${errnoText(errno)})`);
      this.#next();
      return;
    }
    const binding = call === 'bind()';
    this.log(binding ? CRIT : ALERT, binding ? message.replace('()', `(${from})`) : message);
    this.attempt.peer = '';
    this.#finalize(INTERNAL_ERROR);
  }

  #next(): void {
    this.#tries.release(PEER_FAILED);
    this.#waiting.clear();
    if (this.#tries.goOn) this.connect();
    else this.#finalize(BAD_GATEWAY);
  }

  #connected(peer: DatagramPeer): void {
    const { session, conf } = this;
    if (session.errorLog.level >= INFO) {
      session.note(INFO, `udp proxy ${endText(peer.localName() ?? {})} connected to ${this.attempt.peer}`);
    }
    this.#tries.connected();
    this.#clientPace.rate = this.#rate(conf.proxy_upload_rate);
    this.#peerPace.rate = this.#rate(conf.proxy_download_rate);
    peer.start();
    const first = this.#greeting(session.peeked);
    session.peeked = EMPTY;
    if (this.#disconnected()) return;
    this.#waiting.addFirst(first);
    if (this.#flush()) this.#settle();
  }

  /** The first datagram, behind the PROXY header that `proxy_protocol` asks for. */
  #greeting(bytes: Buffer): Buffer {
    const { session, conf } = this;
    if (conf.proxy_protocol === 'off') return bytes;
    const { remoteAddress, remotePort } = session;
    const { address: ours = '', port: localPort = 0 } = this.client.localName();
    const ends = { remoteAddress, remotePort, localAddress: ours, localPort, datagram: true };
    const header =
      conf.proxy_protocol === 'on' ? Buffer.from(proxyHeaderV1(ends), 'latin1') : proxyHeaderV2(ends);
    return Buffer.concat([header, bytes]);
  }

  #rate(value: Template<Session> | undefined): number {
    return value ? (parseSize(value.text(this.session)) ?? 0) : 0;
  }

  // ---- datagrams

  onDatagram(bytes: Buffer): void {
    if (this.#over || this.#clientPace.paused || this.#disconnected()) return;
    const { session, conf } = this;
    const room = this.#waiting.room(conf.proxy_buffer_size);
    if (room > 0 && this.#clientPace.allows(session.received)) {
      const piece = bytes.length > room ? bytes.subarray(0, room) : bytes;
      this.#clientPace.took(piece.length);
      this.#requests++;
      session.received += piece.length;
      if (!this.#toPeer(piece)) return;
    }
    this.#settle();
  }

  onReadable(): void {
    const { conf, session } = this;
    const peer = this.#peer;
    if (this.#over || !peer || this.#disconnected()) return;
    for (let left = BATCH; left > 0 && !this.#peerPace.paused; left--) {
      if (!this.#peerPace.allows(this.#received)) break;
      session.action = 'proxying and reading from upstream';
      const length = peer.receive(conf.proxy_buffer_size);
      if (length === -EAGAIN || length === -EINTR) break;
      if (length < 0) {
        this.#broken('recv()', length, peer);
        this.#came(0);
        peer.ended = true;
        break;
      }
      this.#came(length);
      session.action = 'proxying and sending to client';
      if ((length > 0 || !peer.ended) && !session.tell(received.subarray(0, length))) {
        this.#finalize(STATUS_OK);
        return;
      }
    }
    if (this.#peerPace.paused) peer.stop();
    this.#settle();
  }

  /** So many bytes have come from the peer, or an error, which counts as an answer too. */
  #came(length: number): void {
    this.#peerPace.took(length);
    this.#tries.answered();
    this.#responses++;
    this.#received += length;
  }

  /** Sends a datagram on, which is only there during the call, or lets it wait. False: that ended the session. */
  #toPeer(bytes: Buffer): boolean {
    if (this.#peer && this.#waiting.size === 0) {
      const sent = this.#send(this.#peer, bytes);
      if (sent !== -EAGAIN) return sent >= 0;
    }
    this.#waiting.add(Buffer.from(bytes));
    return true;
  }

  /** Sends what waits. False: that ended the session. */
  #flush(): boolean {
    const peer = this.#peer;
    while (peer && !this.#over) {
      const { first } = this.#waiting;
      if (!first) break;
      const sent = this.#send(peer, first);
      if (sent === -EAGAIN) break;
      if (sent < 0) return false;
      this.#waiting.removeFirst();
    }
    return !this.#over;
  }

  /** The system may have room by now; where it has not, that is no sign of life. */
  #retry(): void {
    const before = this.#waiting.size;
    if (this.#disconnected() || !this.#flush()) return;
    if (this.#waiting.size < before) this.#settle();
    else this.#peerRetry.start(AGAIN_MS);
  }

  #send(peer: DatagramPeer, bytes: Buffer): number {
    this.session.action = 'proxying and sending to upstream';
    const sent = peer.send(bytes);
    if (sent < 0 && sent !== -EAGAIN) {
      this.#broken('sendmsg()', sent, peer);
      this.#finalize(STATUS_OK);
    }
    return sent;
  }

  #broken(call: string, errno: number, peer: DatagramPeer): void {
    peer.failed = true;
    this.log(sendFailureLevel(-errno, ERROR), `${call} failed (${errnoText(errno)})`);
  }

  /** Where the worker is on its way out the session is over: the client can't be reached any more. */
  #disconnected(): boolean {
    if (!this.session.host.draining) return false;
    this.session.note(INFO, 'disconnected on shutdown');
    this.#finalize(STATUS_OK);
    return true;
  }

  /** After each step: the session is over, or goes on for as long as it may be silent. */
  #settle(): void {
    this.session.action = 'proxying connection';
    if (this.#complete()) {
      this.#sum('done');
      this.#finalize(STATUS_OK);
      return;
    }
    if (!this.#peer) return;
    if (this.#waiting.size > 0) this.#peerRetry.start(AGAIN_MS);
    this.#renew();
  }

  #renew(): void {
    if (this.#clientPace.paused || this.#peerPace.paused) this.#timer.stop();
    else this.#timer.start(this.conf.proxy_timeout);
  }

  /** Whether all requests and answers that `proxy_requests` and `proxy_responses` count have passed. */
  #complete(): boolean {
    const { proxy_requests: requests } = this.conf;
    if (requests > 0) {
      if (this.#requests < requests) return false;
      this.client.forget();
    }
    return this.#answered() && !this.#unlimited && this.#peer !== undefined && this.#waiting.size === 0;
  }

  get #unlimited(): boolean {
    return this.conf.proxy_responses === UNLIMITED;
  }

  #answered(): boolean {
    return this.#unlimited || this.#responses >= this.conf.proxy_responses * this.#requests;
  }

  onTimer(timer: Timer): void {
    if (this.#over) return;
    if (timer === this.#timer) this.#silent();
    else if (timer === this.#peerRetry) {
      this.#retry();
    } else {
      if (timer === this.#peerPace.pause) this.#peer?.start();
      if (this.#peer && !this.#clientPace.paused && !this.#peerPace.paused) this.#renew();
    }
  }

  /** Nothing has passed for `proxy_timeout`: an orderly end, unless answers are missing. */
  #silent(): void {
    if (this.#answered()) {
      this.#sum('timed out');
      this.#finalize(STATUS_OK);
      return;
    }
    this.log(ERROR, 'upstream timed out (110: Connection timed out)');
    if (this.#peer) this.#peer.failed = true;
    this.#finalize(BAD_GATEWAY);
  }

  // ---- ends

  /** Ends the session from outside: the worker's time is over. */
  abort(): void {
    this.#finalize(STATUS_OK);
  }

  /** A session that can't be passed on at all. */
  refuse(): void {
    this.#finalize(INTERNAL_ERROR);
  }

  #finalize(status: number): void {
    if (this.#over) return;
    this.#over = true;
    const { attempt } = this;
    const peer = this.#peer;
    for (const timer of [this.#timer, this.#clientPace.pause, this.#peerPace.pause, this.#peerRetry])
      timer.remove();
    this.#tries.end();
    if (peer) {
      attempt.received = this.#received;
      attempt.sent = peer.sent;
    }
    this.#tries.release(peer?.failed ? PEER_FAILED : PEER_OK);
    peer?.close();
    this.session.finalize(status);
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
    return (peer === '' ? '' : `, upstream: "${peer}"`) + this.#bytes();
  }

  /** What has passed, at the end. */
  #sum(end: string): void {
    const { session } = this;
    if (session.errorLog.level < INFO) return;
    const packets = `packets from/to client:${this.#requests}/${this.#responses}`;
    session.note(INFO, `udp ${end}, ${packets}${this.#bytes()}`);
  }

  #bytes(): string {
    const { received: from, sent } = this.session;
    const toPeer = this.#peer?.sent ?? 0;
    return `, bytes from/to client:${from}/${sent}, bytes from/to upstream:${this.#received}/${toPeer}`;
  }
}
