/** What a client's frames do to its connection and streams: the session's side of the frame reader (RFC 9113 section 6). */
import { monotonic, wallClock } from '../../net/timers.ts';
import { Request } from '../request.ts';
import { BlockIntake } from './block-intake.ts';
import type { FrameHandler } from './frame-handler.ts';
import { FrameReader } from './frame-reader.ts';
import {
  ACK,
  DEFAULT_FRAME_SIZE,
  ENABLE_PUSH,
  END_STREAM,
  ENHANCE_YOUR_CALM,
  FLOW_CONTROL_ERROR,
  frameHead,
  HEADER_TABLE_SIZE,
  INITIAL_WINDOW_SIZE,
  LARGEST_FRAME_SIZE,
  LARGEST_WINDOW,
  MAX_FRAME_SIZE,
  NO_ERROR,
  PING,
  PROTOCOL_ERROR,
  REFUSED_STREAM,
  SETTINGS,
  STREAM_CLOSED,
} from './frames.ts';
import { PriorityTree } from './priority-tree.ts';
import type { Session } from './session.ts';
import { Http2Stream } from './stream.ts';

/** What is the case where a client is not let begin streams with bodies before it knows their window. */
const DEFAULT_PREREAD = 65535;

export class FrameIntake implements FrameHandler {
  /** The latest stream that the client has begun. */
  lastId = 0;
  readonly #reader = new FrameReader(this);
  readonly #block: BlockIntake;
  /** Bytes of bodies that the client may send on the whole connection. */
  #window = LARGEST_WINDOW;
  #acknowledged = false;
  #newWindow: number | undefined = undefined;
  #priorities: PriorityTree | undefined = undefined;
  #bodyOf: Http2Stream | undefined = undefined;
  #bodyEnds = false;

  constructor(readonly session: Session) {
    this.#block = new BlockIntake(session);
  }

  /** Reads on. False: the connection has been ended. */
  read(bytes: Buffer, length: number): boolean {
    const goes = this.#reader.read(bytes, length);
    if (goes && this.#reader.inBlock) this.#block.stream?.awaitHead();
    return goes;
  }

  get incomplete(): boolean {
    return this.#reader.incomplete;
  }

  /** Bytes of the stream's frame that is being read which are still to come. */
  arriving(stream: Http2Stream): number {
    return this.#bodyOf === stream ? this.#reader.left : 0;
  }

  /** A stream has ended. */
  removed(stream: Http2Stream): void {
    this.#priorities?.close(stream.id);
    this.#block.removed(stream);
    if (this.#bodyOf === stream) this.#bodyOf = undefined;
  }

  /** Sorted by priority, in place. */
  inOrder(streams: Http2Stream[]): Http2Stream[] {
    const tree = this.#priorities;
    return tree ? streams.sort((a, b) => tree.compare(a.id, b.id)) : streams;
  }

  // ---- for the frame reader

  fail(code: number, reason: string): false {
    return this.session.fail(code, reason);
  }

  note(reason: string): void {
    this.session.log(reason);
  }

  // ---- bodies

  data(id: number, flags: number, size: number): boolean {
    const { session } = this;
    this.#bodyOf = undefined;
    this.#bodyEnds = (flags & END_STREAM) !== 0;
    if (size > this.#window) {
      const sizes = `received DATA frame length ${size}, available window ${this.#window}`;
      return this.fail(FLOW_CONTROL_ERROR, `client violated connection flow control: ${sizes}`);
    }
    this.#window -= size;
    if (this.#window < LARGEST_WINDOW / 4) {
      session.sendWindow(0, LARGEST_WINDOW - this.#window);
      this.#window = LARGEST_WINDOW;
    }
    const stream = session.streams.get(id);
    if (!stream) return true;
    if (stream.inClosed) {
      session.log(`client sent DATA frame for half-closed stream ${id}`);
      stream.refuse(STREAM_CLOSED);
      return session.open;
    }
    const { body } = stream;
    if (body) {
      if (size > body.window) {
        const sizes = `received DATA frame length ${size}, available window ${body.window}`;
        session.log(`client violated flow control for stream ${id}: ${sizes}`);
        stream.refuse(FLOW_CONTROL_ERROR);
        return session.open;
      }
      body.window -= size;
    }
    this.#bodyOf = stream;
    return true;
  }

  bodyBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    const stream = this.#bodyOf;
    if (!stream) return true;
    if (last) this.#bodyOf = undefined;
    stream.data(bytes, start, end, last && this.#bodyEnds);
    return this.session.open;
  }

  // ---- heads

  headers(
    id: number,
    flags: number,
    length: number,
    weight: number,
    depend: number,
    exclusive: boolean,
  ): boolean {
    const { session } = this;
    this.#block.begin();
    if (session.goingAway) return true;
    const known = session.streams.get(id);
    if (known && !known.inClosed && (flags & END_STREAM) !== 0) {
      this.#block.trailersOf(known);
      return true;
    }
    if (id % 2 === 0 || id <= this.lastId) {
      const ids = `${id}, the last was ${this.lastId}`;
      return this.fail(PROTOCOL_ERROR, `client sent HEADERS frame with incorrect identifier ${ids}`);
    }
    if (weight > 0 && depend === id)
      return this.fail(
        PROTOCOL_ERROR,
        `client sent HEADERS frame for stream ${id} with incorrect dependency`,
      );
    this.lastId = id;
    const ends = (flags & END_STREAM) !== 0;
    const refusal = this.#refusal(ends);
    if (refusal !== undefined) return this.#refuse(id, refusal);
    this.#begin(id, ends, length);
    if (weight > 0) this.#tree().open(id, weight, depend, exclusive);
    else this.#priorities?.open(id, undefined, 0, false);
    this.#countRequests();
    return session.open;
  }

  /** Why a stream can't be taken now. */
  #refusal(ends: boolean): string | undefined {
    const { session } = this;
    if (session.streams.size >= session.mostStreams)
      return `concurrent streams exceeded ${session.streams.size}`;
    if (!session.guard.newStream()) return 'client sent too many streams at once';
    if (!this.#acknowledged && !ends && session.preread < DEFAULT_PREREAD)
      return 'client sent stream with data before settings were acknowledged';
    return undefined;
  }

  #refuse(id: number, reason: string): boolean {
    const { session } = this;
    session.log(reason);
    if (!session.guard.refuse()) return this.fail(NO_ERROR, 'client sent too many refused streams');
    session.sendReset(id, REFUSED_STREAM);
    return session.open;
  }

  #begin(id: number, ends: boolean, length: number): void {
    const { session } = this;
    const { counters } = session.client;
    session.requests++;
    const stream = new Http2Stream(session, id, ends);
    const request = new Request(stream, session.server, undefined, session.host.slots);
    stream.request = request;
    request.version = 2000;
    request.startedAt = wallClock();
    request.started = monotonic();
    request.requestLength = length;
    session.streams.add(stream);
    session.guard.streamMade();
    session.connection.timer.stop();
    counters.request();
    counters.reading(1);
    this.#block.headOf(stream);
  }

  /** After its last request a connection takes no further ones. */
  #countRequests(): void {
    const { session } = this;
    const { core } = session.server.location;
    const age = monotonic() - session.client.started;
    if (core.keepalive === 0 || session.requests >= core.keepalive_requests || age > core.keepalive_time)
      session.goAway(NO_ERROR);
  }

  moreHeaders(length: number): void {
    const { stream } = this.#block;
    if (stream) stream.request.requestLength += length;
  }

  blockBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    return this.#block.read(bytes, start, end, last);
  }

  // ---- all else

  #tree(): PriorityTree {
    if (this.#priorities) return this.#priorities;
    const tree = new PriorityTree();
    for (const { id } of this.session.streams) tree.open(id, undefined, 0, false);
    this.#priorities = tree;
    return tree;
  }

  priority(id: number, weight: number, depend: number, exclusive: boolean): boolean {
    if (!this.session.guard.priority())
      return this.fail(ENHANCE_YOUR_CALM, 'client sent too many PRIORITY frames');
    if (depend === id)
      return this.fail(
        PROTOCOL_ERROR,
        `client sent PRIORITY frame for stream ${id} with incorrect dependency`,
      );
    this.#tree().set(id, weight, depend, exclusive);
    return true;
  }

  reset(id: number, code: number): void {
    this.session.streams.get(id)?.onReset(code);
  }

  setting(id: number, value: number): boolean {
    const { send } = this.session;
    const incorrect = (name: string, code: number): false =>
      this.fail(code, `client sent SETTINGS frame with incorrect ${name} value ${value}`);
    switch (id) {
      case INITIAL_WINDOW_SIZE:
        if (value > LARGEST_WINDOW) return incorrect('INITIAL_WINDOW_SIZE', FLOW_CONTROL_ERROR);
        this.#newWindow = value;
        return true;
      case MAX_FRAME_SIZE:
        if (value > LARGEST_FRAME_SIZE || value < DEFAULT_FRAME_SIZE)
          return incorrect('MAX_FRAME_SIZE', PROTOCOL_ERROR);
        send.frameSize = value;
        return true;
      case ENABLE_PUSH:
        return value > 1 ? incorrect('ENABLE_PUSH', PROTOCOL_ERROR) : true;
      case HEADER_TABLE_SIZE:
        send.tableChanged = true;
        return true;
      default:
        return true;
    }
  }

  settingsEnd(): void {
    const { session } = this;
    session.control(frameHead(0, SETTINGS, ACK, 0));
    const window = this.#newWindow;
    this.#newWindow = undefined;
    if (window === undefined) return;
    const change = window - session.send.streamWindow;
    session.send.streamWindow = window;
    for (const stream of [...session.streams]) {
      const { output } = stream;
      if (output.window + change > LARGEST_WINDOW) stream.refuse(FLOW_CONTROL_ERROR);
      else output.window += change;
    }
    if (change > 0) session.resumeWaiting();
  }

  settingsAcknowledged(): void {
    this.#acknowledged = true;
  }

  ping(payload: string): boolean {
    return this.session.control(frameHead(payload.length, PING, ACK, 0) + payload);
  }

  windowUpdate(id: number, increment: number): boolean {
    const { session } = this;
    const violated = (whose: string, window: number): string =>
      `client violated ${whose}: received WINDOW_UPDATE frame with window increment ${increment} not allowed for window ${window}`;
    if (id === 0) {
      const { send } = session;
      if (increment > LARGEST_WINDOW - send.window)
        return this.fail(FLOW_CONTROL_ERROR, violated('connection flow control', send.window));
      send.window += increment;
      session.resumeWaiting();
      return session.open;
    }
    const stream = session.streams.get(id);
    if (!stream) return true;
    const { output } = stream;
    if (increment > LARGEST_WINDOW - output.window) {
      session.log(violated(`flow control for stream ${id}`, output.window));
      stream.refuse(FLOW_CONTROL_ERROR);
    } else {
      output.window += increment;
      if (session.waiting.has(stream)) stream.resumeOutput();
    }
    return session.open;
  }
}
