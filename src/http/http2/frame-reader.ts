/**
 * Frames out of what is read, which comes in any pieces: bodies and header blocks are passed on as they come, all
 * other frames whole. What is wrong with a frame by itself ends the connection here (RFC 9113 section 6).
 */
import type { FrameHandler } from './frame-handler.ts';
import {
  ACK,
  CONTINUATION,
  DATA,
  END_HEADERS,
  FRAME_HEAD,
  FRAME_SIZE_ERROR,
  GOAWAY,
  HEADERS,
  PADDED,
  PING,
  PREFACE,
  PRIORITIZED,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './frames.ts';

/** What comes next. */
const BEGINNING = 0;
const HEAD = 1;
const PADDING_LENGTH = 2;
const BODY = 3;
const BLOCK_HEAD = 4;
const BLOCK = 5;
const SMALL = 6;
const PARAMETERS = 7;
const SKIPPED = 8;
/** The first frame, without which the preface is not whole. */
const FIRST_HEAD = 9;

/** Bytes of the preface's first line. */
const PREFACE_LINE = 16;
const PRIORITY_SIZE = 5;
const PARAMETER_SIZE = 6;
const GOAWAY_SIZE = 8;
/** Frames of one size: name and bytes. */
const SIZES: readonly (readonly [name: string, bytes: number] | undefined)[] = [];
const sized = SIZES as (readonly [string, number] | undefined)[];
sized[PRIORITY] = ['PRIORITY', PRIORITY_SIZE];
sized[RST_STREAM] = ['RST_STREAM', 4];
sized[PING] = ['PING', 8];
sized[WINDOW_UPDATE] = ['WINDOW_UPDATE', 4];

/** Not enough for the next step; the connection has been ended. */
const MORE = -1;
const ENDED = -2;

export class FrameReader {
  #state = BEGINNING;
  #type = 0;
  #flags = 0;
  #id = 0;
  /** Bytes of the frame's payload still to come, without its padding. */
  #left = 0;
  #padding = 0;
  /** A header block has begun that CONTINUATION frames go on with. */
  #inBlock = false;
  /** The beginning of something that is still too short. */
  #held: Buffer | undefined = undefined;

  constructor(readonly handler: FrameHandler) {}

  /** Part of a frame has come, or of a header block. */
  get incomplete(): boolean {
    return this.#state > HEAD || this.#held !== undefined || this.#inBlock;
  }

  /** Bytes of the present frame still to come: what its stream's window has to leave room for. */
  get left(): number {
    return this.#state === BODY ? this.#left : 0;
  }

  get inBlock(): boolean {
    return this.#inBlock;
  }

  /** Reads `length` bytes, there only during the call. False: the connection has been ended. */
  read(bytes: Buffer, length: number): boolean {
    let input = bytes;
    let end = length;
    if (this.#held) {
      input = Buffer.concat([this.#held, bytes.subarray(0, length)]);
      end = input.length;
      this.#held = undefined;
    }
    let position = 0;
    // A block without bytes is a step too.
    while (position < end || (this.#state === BLOCK && this.#left === 0)) {
      const next = this.#step(input, position, end);
      if (next === ENDED) return false;
      if (next === MORE) {
        this.#held = Buffer.from(input.subarray(position, end));
        return true;
      }
      position = next;
    }
    return true;
  }

  #step(bytes: Buffer, at: number, end: number): number {
    switch (this.#state) {
      case HEAD:
      case FIRST_HEAD:
        return end - at < FRAME_HEAD ? MORE : this.#head(bytes, at);
      case BODY:
        return this.#body(bytes, at, end);
      case BLOCK:
        return this.#block(bytes, at, end);
      case SMALL:
        return end - at < this.#left ? MORE : this.#small(bytes, at);
      case PADDING_LENGTH:
        return this.#paddingLength(bytes, at);
      case BLOCK_HEAD:
        return this.#blockHead(bytes, at, end);
      case PARAMETERS:
        return end - at < PARAMETER_SIZE ? MORE : this.#parameter(bytes, at);
      case SKIPPED:
        return this.#skip(at, end);
      default:
        return this.#preface(bytes, at, end);
    }
  }

  #fail(code: number, reason: string): number {
    this.handler.fail(code, reason);
    return ENDED;
  }

  #preface(bytes: Buffer, at: number, end: number): number {
    const there = bytes.latin1Slice(at, Math.min(end, at + PREFACE.length));
    // As nginx, it looks at each of the two lines when that is whole.
    const seen = there.length < PREFACE.length ? PREFACE_LINE : PREFACE.length;
    if (there.length >= seen && !there.startsWith(PREFACE.slice(0, seen)))
      return this.#fail(PROTOCOL_ERROR, 'invalid connection preface');
    if (there.length < PREFACE.length) return MORE;
    this.#state = FIRST_HEAD;
    return at + PREFACE.length;
  }

  #head(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    const type = bytes[at + 3] ?? 0;
    const flags = bytes[at + 4] ?? 0;
    const id = bytes.readUInt32BE(at + 5) & 0x7fffffff;
    const next = at + FRAME_HEAD;
    this.#left = length;
    this.#padding = 0;
    if (this.#inBlock) return this.#continuation(type, flags, id, length) ? next : ENDED;
    this.#type = type;
    this.#flags = flags;
    this.#id = id;
    switch (type) {
      case DATA:
        return this.#dataHead(length, flags) ? next : ENDED;
      case HEADERS:
        return this.#headersHead(length, flags) ? next : ENDED;
      case SETTINGS:
        return this.#settingsHead(length, flags, id) ? next : ENDED;
      case GOAWAY:
        return this.#goawayHead(length, id) ? next : ENDED;
      case PUSH_PROMISE:
        return this.#fail(PROTOCOL_ERROR, 'client sent PUSH_PROMISE frame');
      case CONTINUATION:
        return this.#fail(PROTOCOL_ERROR, 'client sent unexpected CONTINUATION frame');
      default:
        break;
    }
    const size = SIZES[type];
    if (!size) {
      this.handler.note(`client sent frame with unknown type ${type}`);
      this.#toSkip();
      return next;
    }
    if (length !== size[1])
      return this.#fail(FRAME_SIZE_ERROR, `client sent ${size[0]} frame with incorrect length ${length}`);
    this.#state = SMALL;
    return next;
  }

  /** The rest of the frame, padding included, is of no interest. */
  #toSkip(): void {
    this.#left += this.#padding;
    this.#padding = 0;
    this.#state = this.#left === 0 ? HEAD : SKIPPED;
  }

  #skip(at: number, end: number): number {
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    if (this.#left === 0) this.#state = HEAD;
    return at + taken;
  }

  #dataHead(length: number, flags: number): boolean {
    if ((flags & PADDED) === 0) return this.#beginData(length);
    if (length === 0)
      return this.handler.fail(FRAME_SIZE_ERROR, 'client sent padded DATA frame with incorrect length: 0');
    this.#state = PADDING_LENGTH;
    return true;
  }

  #paddingLength(bytes: Buffer, at: number): number {
    const size = this.#left;
    const padding = bytes[at] ?? 0;
    if (padding >= size) {
      const lengths = `${size}, padding: ${padding}`;
      return this.#fail(PROTOCOL_ERROR, `client sent padded DATA frame with incorrect length: ${lengths}`);
    }
    this.#padding = padding;
    this.#left -= 1 + padding;
    return this.#beginData(size) ? at + 1 : ENDED;
  }

  #beginData(size: number): boolean {
    if (this.#id === 0)
      return this.handler.fail(PROTOCOL_ERROR, 'client sent DATA frame with incorrect identifier');
    this.#state = BODY;
    if (!this.handler.data(this.#id, this.#flags, size)) return false;
    if (this.#left > 0) return true;
    this.#toSkip();
    return this.handler.bodyBytes(NOTHING, 0, 0, true);
  }

  #body(bytes: Buffer, at: number, end: number): number {
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    const last = this.#left === 0;
    if (last) this.#toSkip();
    return this.handler.bodyBytes(bytes, at, at + taken, last) ? at + taken : ENDED;
  }

  #headersHead(length: number, flags: number): boolean {
    const size = ((flags & PADDED) === 0 ? 0 : 1) + ((flags & PRIORITIZED) === 0 ? 0 : PRIORITY_SIZE);
    if (length < size)
      return this.handler.fail(FRAME_SIZE_ERROR, `client sent HEADERS frame with incorrect length ${length}`);
    if (length === size)
      return this.handler.fail(FRAME_SIZE_ERROR, 'client sent HEADERS frame with empty header block');
    this.#state = BLOCK_HEAD;
    return true;
  }

  /** Padding length and priority, where there are such, and then the block. */
  #blockHead(bytes: Buffer, at: number, end: number): number {
    const padded = (this.#flags & PADDED) !== 0;
    const prioritized = (this.#flags & PRIORITIZED) !== 0;
    const size = (padded ? 1 : 0) + (prioritized ? PRIORITY_SIZE : 0);
    if (end - at < size) return MORE;
    let next = at;
    this.#left -= size;
    if (padded) {
      const padding = bytes[next++] ?? 0;
      if (padding > this.#left) {
        const lengths = `${this.#left}, padding: ${padding}`;
        return this.#fail(
          PROTOCOL_ERROR,
          `client sent padded HEADERS frame with incorrect length: ${lengths}`,
        );
      }
      this.#padding = padding;
      this.#left -= padding;
    }
    let weight = 0;
    let dependency = 0;
    if (prioritized) {
      dependency = bytes.readUInt32BE(next);
      weight = (bytes[next + 4] ?? 0) + 1;
      next += PRIORITY_SIZE;
    }
    this.#inBlock = true;
    this.#state = BLOCK;
    const depend = dependency & 0x7fffffff;
    const go = this.handler.headers(
      this.#id,
      this.#flags,
      this.#left,
      weight,
      depend,
      dependency > 0x7fffffff,
    );
    return go ? next : ENDED;
  }

  #block(bytes: Buffer, at: number, end: number): number {
    const taken = Math.min(this.#left, end - at);
    this.#left -= taken;
    let last = false;
    if (this.#left === 0) {
      last = (this.#flags & END_HEADERS) !== 0;
      if (last) this.#inBlock = false;
      this.#toSkip();
    }
    return this.handler.blockBytes(bytes, at, at + taken, last) ? at + taken : ENDED;
  }

  #continuation(type: number, flags: number, id: number, length: number): boolean {
    if (type !== CONTINUATION) {
      const reason = 'client sent inappropriate frame while CONTINUATION was expected';
      return this.handler.fail(PROTOCOL_ERROR, reason);
    }
    if (id !== this.#id)
      return this.handler.fail(PROTOCOL_ERROR, 'client sent CONTINUATION frame with incorrect identifier');
    this.#flags |= flags & END_HEADERS;
    this.#state = BLOCK;
    this.handler.moreHeaders(length);
    return true;
  }

  #settingsHead(length: number, flags: number, id: number): boolean {
    const { handler } = this;
    if (id !== 0) return handler.fail(PROTOCOL_ERROR, 'client sent SETTINGS frame with incorrect identifier');
    this.#state = HEAD;
    if (flags === ACK) {
      if (length !== 0)
        return handler.fail(
          FRAME_SIZE_ERROR,
          'client sent SETTINGS frame with the ACK flag and nonzero length',
        );
      handler.settingsAcknowledged();
      return true;
    }
    if (length % PARAMETER_SIZE !== 0)
      return handler.fail(FRAME_SIZE_ERROR, `client sent SETTINGS frame with incorrect length ${length}`);
    if (length === 0) handler.settingsEnd();
    else this.#state = PARAMETERS;
    return true;
  }

  #parameter(bytes: Buffer, at: number): number {
    if (!this.handler.setting(bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2))) return ENDED;
    this.#left -= PARAMETER_SIZE;
    if (this.#left === 0) {
      this.#state = HEAD;
      this.handler.settingsEnd();
    }
    return at + PARAMETER_SIZE;
  }

  #goawayHead(length: number, id: number): boolean {
    if (length < GOAWAY_SIZE)
      return this.handler.fail(FRAME_SIZE_ERROR, `client sent GOAWAY frame with incorrect length ${length}`);
    if (id !== 0)
      return this.handler.fail(PROTOCOL_ERROR, 'client sent GOAWAY frame with incorrect identifier');
    this.#toSkip();
    return true;
  }

  #small(bytes: Buffer, at: number): number {
    const { handler } = this;
    const id = this.#id;
    const next = at + this.#left;
    this.#left = 0;
    this.#state = HEAD;
    switch (this.#type) {
      case PRIORITY:
        return this.#priority(id, bytes.readUInt32BE(at), bytes[at + 4] ?? 0) ? next : ENDED;
      case RST_STREAM:
        if (id === 0)
          return this.#fail(PROTOCOL_ERROR, 'client sent RST_STREAM frame with incorrect identifier');
        handler.reset(id, bytes.readUInt32BE(at));
        return next;
      case PING:
        if (id !== 0) return this.#fail(PROTOCOL_ERROR, 'client sent PING frame with incorrect identifier');
        if ((this.#flags & ACK) !== 0) return next;
        return handler.ping(bytes.latin1Slice(at, next)) ? next : ENDED;
      default:
        return this.#windowUpdate(id, bytes.readUInt32BE(at) & 0x7fffffff) ? next : ENDED;
    }
  }

  #priority(id: number, dependency: number, weight: number): boolean {
    if (id === 0)
      return this.handler.fail(PROTOCOL_ERROR, 'client sent PRIORITY frame with incorrect identifier');
    return this.handler.priority(id, weight + 1, dependency & 0x7fffffff, dependency > 0x7fffffff);
  }

  #windowUpdate(id: number, increment: number): boolean {
    if (increment === 0) {
      const reason = 'client sent WINDOW_UPDATE frame with incorrect window increment 0';
      return this.handler.fail(PROTOCOL_ERROR, reason);
    }
    return this.handler.windowUpdate(id, increment);
  }
}

const NOTHING = Buffer.alloc(0);
