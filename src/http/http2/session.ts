/**
 * A client's connection of HTTP/2: its streams, the way out, its timeouts and its end (RFC 9113), as nginx does it.
 * What the client's frames do stands in frame-intake.ts.
 */
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import { monotonic, Timer, type TimerOwner } from '../../net/timers.ts';
import { terminate } from '../finalize.ts';
import type { ClientFacts, ClientHost, Served } from '../http1/host.ts';
import type { Location, Server } from '../location.ts';
import { CLIENT_TIMED_OUT } from '../request-log.ts';
import { FloodGuard } from './flood-guard.ts';
import { type Flushed, flushSoon } from './flush-soon.ts';
import { FrameIntake } from './frame-intake.ts';
import {
  DEFAULT_WINDOW,
  frameHead,
  GOAWAY,
  INITIAL_WINDOW_SIZE,
  LARGEST_FRAME_SIZE,
  LARGEST_WINDOW,
  MAX_CONCURRENT_STREAMS,
  MAX_FRAME_SIZE,
  NO_ERROR,
  PROTOCOL_ERROR,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from './frames.ts';
import { Roster } from './roster.ts';
import { SendSide } from './send-side.ts';
import { logFailure, logSession } from './session-log.ts';
import type { Http2Stream } from './stream.ts';

/** What the configuration says of HTTP/2. */
export interface Http2Rules {
  /** `http2_max_concurrent_streams`, `http2_body_preread_size` in bytes. */
  streams(server: Server): number;
  preread(server: Server): number;
  /** `http2_chunk_size`, bytes. */
  chunk(location: Location): number;
}

const OPEN = 0;
/** Our side is shut; what the client still sends is thrown away. */
const LINGERING = 1;
const CLOSED = 2;
/** An idle connection may be woken so many times for each request that it may make. */
const WAKES = 10;

export class Session implements ConnectionHandler, TimerOwner, Flushed, Served {
  readonly connection: Connection;
  readonly server: Server;
  readonly send: SendSide;
  readonly guard: FloodGuard;
  /** Its neighbours among the clients of the worker. */
  before: Served | undefined = undefined;
  after: Served | undefined = undefined;
  readonly streams = new Roster<Http2Stream>();
  /** Streams whose reply waits for room. */
  readonly waiting = new Roster<Http2Stream>();
  /** `http2_max_concurrent_streams` and `http2_body_preread_size` here. */
  readonly mostStreams: number;
  readonly preread: number;
  /** Requests so far. */
  requests = 0;
  /** The client has been told that no further stream is taken. */
  goingAway = false;
  readonly #intake: FrameIntake;
  /** Streams whose bodies go on at the end of the turn: passed on, and the client let send more. */
  readonly #granting = new Roster<Http2Stream>();
  #state = OPEN;
  #idle = false;
  /** Reading: what is written leaves at the end of it. */
  #reading = false;
  #flushing = false;
  #lingerUntil = 0;
  /** `reset_timedout_connection`, for a stream that was too slow. */
  #resets = false;
  #left = false;
  #sendTimer: Timer | undefined = undefined;
  #unsent = 0;

  constructor(
    readonly client: ClientFacts,
    readonly host: ClientHost,
    rules: Http2Rules,
  ) {
    const { connection, server } = client;
    this.connection = connection;
    this.server = server;
    this.mostStreams = rules.streams(server);
    this.preread = rules.preread(server);
    this.guard = new FloodGuard(this.mostStreams);
    this.send = new SendSide(connection, this.guard, rules.chunk);
    this.#intake = new FrameIntake(this);
  }

  /** Takes the connection over, with what has been read of it, from the preface on. */
  start(bytes: Buffer, length: number): void {
    const settings =
      setting(MAX_CONCURRENT_STREAMS, this.mostStreams) +
      setting(INITIAL_WINDOW_SIZE, this.preread) +
      setting(MAX_FRAME_SIZE, LARGEST_FRAME_SIZE);
    this.send.writer.text(frameHead(settings.length, SETTINGS, 0, 0) + settings);
    this.sendWindow(0, LARGEST_WINDOW - DEFAULT_WINDOW);
    this.client.counters.waiting(-1);
    const { timer } = this.connection;
    if (!timer.running) timer.start(this.server.location.core.client_header_timeout);
    if (this.host.draining) this.end(NO_ERROR);
    else if (length > 0) this.onRead(bytes, length);
    else this.flushNow();
  }

  get open(): boolean {
    return this.#state === OPEN;
  }

  // ---- reading

  onRead(bytes: Buffer, length: number): void {
    if (this.#state !== OPEN) {
      if (this.#state === LINGERING) this.#lingerOn();
      return;
    }
    if (this.#idle && !this.#wake()) return;
    this.#reading = true;
    this.guard.read(length);
    const goes = this.#intake.read(bytes, length);
    this.#reading = false;
    if (!goes || !this.open) return;
    if (this.guard.flooded) this.flooded();
    else this.flushNow();
  }

  #wake(): boolean {
    this.#idle = false;
    this.client.counters.waiting(-1);
    if (this.guard.idleRead(WAKES * this.server.location.core.keepalive_requests)) return true;
    this.flooded();
    return false;
  }

  /** More was made of the connection than its requests are worth. */
  flooded(): false {
    this.log('http2 flood detected');
    return this.end(NO_ERROR, true);
  }

  // ---- writing

  /** Something has been written: it leaves with the rest of what this turn brings. */
  written(): void {
    if (this.#reading || this.#flushing) return;
    this.#flushing = true;
    flushSoon(this);
  }

  flushNow(): void {
    this.#flushing = false;
    if (this.#state === CLOSED) return;
    if (this.#granting.size > 0) this.#bodiesGoOn();
    this.#flush();
    if (this.#state === OPEN && this.streams.size === 0) this.#settle();
  }

  #bodiesGoOn(): void {
    this.#reading = true;
    for (let stream = this.#granting.shift(); stream; stream = this.#granting.shift()) stream.goOn();
    this.#reading = false;
  }

  #flush(): void {
    const { connection } = this;
    if (this.send.writer.pending) this.send.writer.flush();
    if (connection.queued === 0) this.guard.taken();
    else if (!this.#sendTimer?.running) this.#watch();
  }

  /** The client has send_timeout to take some of what is queued. */
  #watch(): void {
    this.#sendTimer ??= new Timer(this);
    this.#unsent = this.connection.unsent;
    this.#sendTimer.start(this.server.location.core.send_timeout);
  }

  onTimer(timer: Timer): void {
    const { unsent } = this.connection;
    if (unsent === 0 || this.#state === CLOSED) return;
    if (unsent < this.#unsent) {
      this.#unsent = unsent;
      timer.start(this.server.location.core.send_timeout);
      return;
    }
    this.#cut();
  }

  onDrain(): void {
    this.#sendTimer?.stop();
    this.guard.taken();
    if (this.#state !== OPEN) return;
    // Producers that have seen the connection full wait too, without having written anything.
    for (const stream of this.streams) this.waiting.add(stream);
    this.resumeWaiting();
  }

  /** There is room on the connection: streams go on in the order of their priorities, those that went last behind the others. */
  resumeWaiting(): void {
    const ready: Http2Stream[] = [];
    for (const stream of this.waiting) if (!stream.output.stuck) ready.push(stream);
    for (const stream of this.#intake.inOrder(ready)) {
      stream.resumeOutput();
      if (this.send.blocked) break;
    }
    this.written();
  }

  /** A control frame. False: too many wait, and the connection has been ended. */
  control(frame: string): boolean {
    if (!this.guard.answer()) {
      this.log('http2 flood detected');
      this.#cut();
      return false;
    }
    this.guard.total += frame.length;
    this.send.writer.text(frame);
    this.written();
    return true;
  }

  sendReset(id: number, code: number): void {
    if (!this.open) return;
    // Behind a whole reply, and in a record of its own: clients have thrown away replies that came together with it.
    if (code === NO_ERROR) this.#flush();
    this.control(frameHead(4, RST_STREAM, 0, id) + uint32(code));
  }

  sendWindow(id: number, more: number): void {
    if (this.open) this.control(frameHead(4, WINDOW_UPDATE, 0, id) + uint32(more));
  }

  /** The stream's body goes on at the end of the turn. */
  goOnLater(stream: Http2Stream): void {
    this.#granting.add(stream);
    this.written();
  }

  /** Bytes of the stream's frame that is being read which are still to come. */
  arriving(stream: Http2Stream): number {
    return this.#intake.arriving(stream);
  }

  // ---- streams

  /** A stream has ended. */
  remove(stream: Http2Stream): void {
    this.streams.delete(stream);
    this.waiting.delete(stream);
    this.#granting.delete(stream);
    this.#intake.removed(stream);
    if (this.#state === CLOSED) this.#leave();
    else this.written();
  }

  /** A stream was too slow, and its location says that such connections are reset: once it is closed. */
  resetAtEnd(): void {
    this.#resets = true;
  }

  /** No stream is left: the connection waits for the next, or ends. */
  #settle(): void {
    if (this.goingAway) {
      this.#linger(false);
      return;
    }
    if (!this.#idle) {
      this.#idle = true;
      this.client.counters.waiting(1);
    }
    const { timer } = this.connection;
    if (!timer.running) timer.start(this.server.location.core.keepalive);
  }

  /** Tells the client that no further stream is taken. */
  goAway(code: number): void {
    if (this.goingAway) return;
    this.goingAway = true;
    this.control(frameHead(8, GOAWAY, 0, 0) + uint32(this.#intake.lastId) + uint32(code));
  }

  // ---- the end

  /** Ends the connection for the client's fault. */
  fail(code: number, reason: string): false {
    this.log(reason);
    return this.end(code, true);
  }

  /** Ends the connection: the client is told, streams are cut off. */
  end(code: number, failed = false): false {
    if (this.#state !== OPEN) return false;
    this.goAway(code);
    this.#flush();
    this.#endStreams();
    this.#linger(failed);
    return false;
  }

  #endStreams(): void {
    for (const stream of [...this.streams]) stream.onClose();
  }

  /** Our side is shut; the client's bytes are thrown away for a while, so that it can read what it was sent. */
  #linger(failed: boolean): void {
    const { core } = this.server.location;
    if (this.#state !== OPEN) return;
    const lingers = core.lingering_close !== 'off';
    if (!lingers && failed) {
      this.#cut();
      return;
    }
    this.#leaveIdle();
    this.#state = LINGERING;
    this.#lingerUntil = lingers ? monotonic() + core.lingering_time : 0;
    this.#unsent = this.connection.unsent;
    if (lingers) this.connection.end();
    else if (this.#resets && this.#unsent === 0) this.connection.reset();
    else this.connection.close();
    const patience = Math.min(core.lingering_timeout, core.lingering_time);
    this.connection.timer.start(this.#unsent > 0 ? core.send_timeout : patience);
  }

  /** A slow client still takes what is queued: true, and it is given time for more. */
  #stillTakes(): boolean {
    const { unsent, timer } = this.connection;
    if (unsent === 0 || unsent >= this.#unsent) return false;
    this.#unsent = unsent;
    timer.start(this.server.location.core.send_timeout);
    return true;
  }

  #lingerOn(): void {
    if (this.connection.unsent > 0) return;
    const left = this.#lingerUntil - monotonic();
    if (left <= 0) this.#cut();
    else this.connection.timer.start(Math.min(this.server.location.core.lingering_timeout, left));
  }

  #leaveIdle(): void {
    if (this.#idle) this.client.counters.waiting(-1);
    this.#idle = false;
  }

  /** Closes it at once. */
  #cut(): void {
    if (this.#state === CLOSED) return;
    this.#leaveIdle();
    this.#state = CLOSED;
    this.#endStreams();
    if (this.#resets) this.connection.reset();
    else this.connection.destroy();
  }

  #logEnd(): void {
    if (this.#state === OPEN && (this.#intake.incomplete || this.streams.size > 0))
      this.log('client prematurely closed connection');
  }

  onEnd(): void {
    this.#logEnd();
    this.#cut();
  }

  onClose(): void {
    // A reset is an end like any other to TLS, as in nginx.
    if (this.#state === OPEN && !logFailure(this.client)) this.#logEnd();
    this.#leaveIdle();
    this.#state = CLOSED;
    this.#sendTimer?.remove();
    this.#endStreams();
    this.#leave();
  }

  /** The worker is told once nothing is left: a request that goes on without its client outlives the connection. */
  #leave(): void {
    if (this.#left || this.streams.size > 0 || !this.connection.closed) return;
    this.#left = true;
    this.client.counters.close();
    this.host.gone(this);
  }

  onConnect(): void {}

  onTimeout(): void {
    if (this.#state !== OPEN) {
      if (!this.#stillTakes()) this.#cut();
    } else if (this.#intake.incomplete) {
      this.log(CLIENT_TIMED_OUT);
      this.end(PROTOCOL_ERROR, true);
    } else {
      this.end(NO_ERROR);
    }
  }

  /** The worker drains: streams that have begun are served, no further ones. */
  drain(): void {
    if (this.#state !== OPEN) return;
    if (this.streams.size === 0) {
      this.end(NO_ERROR);
      return;
    }
    this.goAway(NO_ERROR);
  }

  destroy(): void {
    this.#cut();
    for (const { request } of [...this.streams]) terminate(request, 499);
  }

  /** A line of the error log about the connection. */
  log(reason: string): void {
    logSession(this.client, reason);
  }
}
