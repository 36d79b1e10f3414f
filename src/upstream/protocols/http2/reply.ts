/** A reply of an HTTP/2 server: its frames, between those about the connection (RFC 9113). */
import {
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_SIZE,
  END_HEADERS,
  END_STREAM,
  FRAME_HEAD,
  HEADERS,
  PADDED,
  PRIORITIZED,
  RST_STREAM,
  WINDOW_UPDATE,
} from '../../../http/http2/frames.ts';
import { ERROR } from '../../../log/levels.ts';
import type { Reply } from '../../contract.ts';
import { ReplyHead } from '../../reply-head.ts';
import type { Upstream } from '../../upstream.ts';
import { BLOCK_REFUSED, BLOCK_WRONG, BlockReader, type FieldTarget } from './block-reader.ts';
import { FrameReader } from './frame-reader.ts';
import type { Http2Stream } from './stream.ts';

/** What a location's configuration says about how to read replies. */
export interface ReplyOptions {
  /** `proxy_buffer_size`: the names and values of a head must fit, and so must its frames. */
  readonly bufferSize: number;
  /**
   * A head that ends the stream has a body of length 0, so that the client's stream ends with its head too: gRPC's
   * clients look for the status there. As in nginx, which does it for gRPC alone.
   */
  readonly endsWithHead: boolean;
}

/** The head is awaited; the body is; it is over, or of no more interest. */
const HEAD = 0;
const BODY = 1;
const OVER = 2;

const OK = 200;
const EARLY_HINTS = 103;
const NO_CONTENT = 204;
const NOT_MODIFIED = 304;
const STATUS = /^[0-9]{3}$/;
const PREMATURE_END = 'upstream prematurely closed stream';
const PRIORITY_SIZE = 5;

export class Http2Reply implements Reply, FieldTarget {
  behindHead = 0;
  readonly channel: Http2Stream;
  readonly #upstream: Upstream;
  readonly #options: ReplyOptions;
  /** The reply to HEAD has no body, whatever its head says. */
  readonly #isHead: boolean;
  readonly #frames = new FrameReader();
  readonly #block = new BlockReader();
  #state = HEAD;
  /** A header block has begun and not ended; the bytes of its frames. */
  #inBlock = false;
  #blockBytes = 0;
  /** The block ends the stream. */
  #endsStream = false;
  /** The stream has ended, and has been reset in order after that. */
  #done = false;
  #reset = false;
  /** Of the present DATA frame; -1: its length has not come. */
  #padding = 0;
  /** Bytes of the body that are still to come; -1: not known. */
  #length = -1;
  #status = 0;
  /** The lines of early hints, and the trailers: name, value, name, value ... */
  #lines: string[] = [];

  constructor(upstream: Upstream, channel: Http2Stream, isHead: boolean, options: ReplyOptions) {
    this.#upstream = upstream;
    this.channel = channel;
    this.#isHead = isHead;
    this.#options = options;
  }

  /** The reply is of no more interest. */
  release(): void {
    this.#state = OVER;
  }

  /** A stream has an end of its own: that of the connection is always too early. */
  end(): void {}

  feed(bytes: Buffer, start: number, end: number): void {
    const frames = this.#frames;
    let at = start;
    while (this.#state !== OVER) {
      if (frames.rest < 0) {
        at = frames.readHead(bytes, at, end);
        if (frames.rest < 0) break;
        if (!this.#beginFrame()) return;
      }
      if (frames.type === DATA) {
        at = this.#takeData(bytes, at, end);
        if (at < 0) return;
      } else {
        const { rest } = frames;
        const payload = frames.payload(bytes, at, end);
        if (!payload) break;
        at += Math.min(rest, end - at);
        this.behindHead = end - at;
        if (!this.#takeFrame(payload)) return;
      }
      if (frames.rest >= 0) break;
    }
    if (this.#done && frames.rest < 0) this.#finish();
  }

  /** The reply is over: `message` is why it is none. */
  #invalid(message: string): false {
    this.#state = OVER;
    this.#upstream.onReplyInvalid(message);
    return false;
  }

  /** The same, of a header block. */
  #wrongBlock(reason: string): false {
    this.#upstream.log(ERROR, reason);
    return this.#invalid(`upstream sent invalid ${this.#state === HEAD ? 'header' : 'trailer'}`);
  }

  /** The head of a frame has come. */
  #beginFrame(): boolean {
    const { type, rest, stream, flags } = this.#frames;
    const { id } = this.channel;
    if (rest > DEFAULT_FRAME_SIZE) return this.#invalid(`upstream sent too large http2 frame: ${rest}`);
    const continues = type === CONTINUATION;
    if (continues !== this.#inBlock || (this.#state === HEAD && type === DATA))
      return this.#invalid(`upstream sent unexpected http2 frame: ${type}`);
    if (type === DATA) {
      if (stream !== id) return this.#invalid(`upstream sent data frame for unknown stream ${stream}`);
      const wrong = this.channel.receive(rest);
      if (wrong !== '') return this.#invalid(wrong);
      this.#padding = (flags & PADDED) !== 0 ? -1 : 0;
    }
    if (stream !== 0 && stream !== id)
      return this.#invalid(`upstream sent frame for unknown stream ${stream}`);
    if (stream !== 0 && this.#done && type !== RST_STREAM && type !== WINDOW_UPDATE)
      return this.#invalid(`upstream sent frame for closed stream ${stream}`);
    const wrong = type === DATA ? '' : this.channel.begin(type, flags, stream, rest);
    if (wrong !== '') return this.#invalid(wrong);
    return type !== HEADERS || rest >= prefixOf(flags)
      ? true
      : this.#wrongBlock(`upstream sent headers frame with invalid length: ${rest}`);
  }

  // ---- the body

  /** Takes what has come of a DATA frame; answers where that ends, or -1 when the reply is over. */
  #takeData(bytes: Buffer, start: number, end: number): number {
    const frames = this.#frames;
    let at = start;
    if (this.#padding < 0) {
      if (frames.rest === 0) return this.#over('upstream sent too short http2 frame');
      if (at >= end) return at;
      this.#padding = bytes[at++] ?? 0;
      frames.rest--;
      if (this.#padding > frames.rest) return this.#over(tooLongPadding(this.#padding, frames.rest));
    }
    const length = Math.min(frames.rest - this.#padding, end - at);
    if (length > 0) {
      if (!this.#takeBody(bytes.subarray(at, at + length))) return -1;
      at += length;
      frames.rest -= length;
    }
    if (frames.rest <= this.#padding) {
      const padding = Math.min(frames.rest, end - at);
      at += padding;
      frames.rest -= padding;
      this.#padding -= padding;
    }
    if (frames.rest > 0) return at;
    frames.rest = -1;
    if ((frames.flags & END_STREAM) !== 0) this.#done = true;
    return at;
  }

  #over(message: string): number {
    this.#invalid(message);
    return -1;
  }

  #takeBody(piece: Buffer): boolean {
    if (this.#length >= 0) {
      if (piece.length > this.#length)
        return this.#invalid('upstream sent response body larger than indicated content length');
      this.#length -= piece.length;
    }
    return this.#upstream.onReplyBody(piece);
  }

  /** The stream has ended, and all that came with its end has been looked at. */
  #finish(): void {
    if (this.#state === OVER) return;
    this.#state = OVER;
    const upstream = this.#upstream;
    if (this.#length > 0) upstream.onReplyCut(PREMATURE_END);
    else upstream.onReplyEnd(!this.channel.leaving && this.#frames.between);
  }

  // ---- other frames

  /** A whole frame that is not DATA. False: the reply is over. */
  #takeFrame(payload: Buffer): boolean {
    const { type, flags, stream } = this.#frames;
    if (type === HEADERS) return this.#takeHeaders(payload, flags);
    if (type === CONTINUATION) return this.#takeFragment(payload, flags);
    if (type === RST_STREAM) return this.#takeReset(payload);
    const wrong = this.channel.control(type, flags, stream, payload);
    if (wrong !== undefined && wrong !== '') return this.#invalid(wrong);
    // The peer may have said that it takes more.
    if (wrong === '') this.#upstream.sendOn();
    return true;
  }

  #takeReset(payload: Buffer): boolean {
    const error = payload.readUInt32BE(0);
    if (error !== 0 || !this.#done) return this.#invalid(`upstream rejected request with error ${error}`);
    if (this.#reset) return this.#invalid(`upstream sent frame for closed stream ${this.channel.id}`);
    this.#reset = true;
    return true;
  }

  #takeHeaders(payload: Buffer, flags: number): boolean {
    const padded = (flags & PADDED) !== 0;
    const from = prefixOf(flags);
    const padding = padded ? (payload[0] ?? 0) : 0;
    const to = payload.length - padding;
    if (to < from) return this.#wrongBlock(tooLongPadding(padding, payload.length - from));
    this.#inBlock = true;
    this.#blockBytes = 0;
    this.#block.begin(this.#options.bufferSize);
    this.#endsStream = (flags & END_STREAM) !== 0;
    this.#lines = [];
    this.#status = 0;
    return this.#takeFragment(payload.subarray(from, to), flags);
  }

  #takeFragment(piece: Buffer, flags: number): boolean {
    const { bufferSize } = this.#options;
    const last = (flags & END_HEADERS) !== 0;
    const isHead = this.#state === HEAD;
    const found = this.#block.read(piece, last, this);
    if (found === BLOCK_WRONG) return this.#wrongBlock(this.#block.reason);
    if (found === BLOCK_REFUSED) return false;
    this.#blockBytes += FRAME_HEAD + piece.length;
    if (isHead && this.#blockBytes > bufferSize) return this.#invalid('upstream sent too big header');
    if (!last) return true;
    this.#inBlock = false;
    return isHead ? this.#endHead() : this.#endTrailers();
  }

  field(name: string, value: string): boolean {
    if (this.#state === BODY) {
      if (name.startsWith(':')) return this.#invalid(`upstream sent invalid trailer "${name}: ${value}"`);
      this.#lines.push(name, value);
      return true;
    }
    if (name.startsWith(':')) return this.#takeStatus(name, value);
    if (this.#status === 0) return this.#invalid('upstream sent no :status header');
    if (this.#status === EARLY_HINTS) {
      this.#lines.push(name, value);
      return true;
    }
    if (this.#upstream.addLine(name, value)) return true;
    this.#state = OVER;
    return false;
  }

  #takeStatus(name: string, value: string): boolean {
    if (name !== ':status') return this.#invalid(`upstream sent invalid header "${name}: ${value}"`);
    if (this.#status !== 0) return this.#invalid('upstream sent duplicate :status header');
    if (!STATUS.test(value)) return this.#invalid(`upstream sent invalid :status "${value}"`);
    const status = Number(value);
    if (status < OK && status !== EARLY_HINTS)
      return this.#invalid(`upstream sent unexpected :status "${value}"`);
    this.#status = status;
    const head = new ReplyHead();
    head.status = status;
    this.#upstream.head = head;
    return true;
  }

  #endHead(): boolean {
    if (this.#status === 0) return this.#invalid('upstream sent no :status header');
    const upstream = this.#upstream;
    if (this.#status === EARLY_HINTS) {
      if (this.#endsStream) return this.#invalid(PREMATURE_END);
      return upstream.onInterim(EARLY_HINTS, this.#lines);
    }
    this.#state = BODY;
    if (this.#endsStream && this.#options.endsWithHead && upstream.head.contentLength < 0)
      upstream.head.contentLength = 0;
    this.#length = this.#lengthOf(upstream.head);
    upstream.keep = this.#endsStream && !this.channel.leaving && this.behindHead === 0;
    if (!upstream.onReplyHead()) {
      this.#state = OVER;
      return false;
    }
    this.#done = this.#endsStream;
    return true;
  }

  #lengthOf({ status, contentLength }: ReplyHead): number {
    return this.#isHead || status === NO_CONTENT || status === NOT_MODIFIED ? 0 : contentLength;
  }

  #endTrailers(): boolean {
    if (!this.#endsStream) return this.#invalid('upstream sent trailer without end stream flag');
    this.#upstream.trailers = this.#lines;
    this.#done = true;
    return true;
  }
}

/** Bytes before the block of HEADERS. */
const prefixOf = (flags: number): number =>
  ((flags & PADDED) !== 0 ? 1 : 0) + ((flags & PRIORITIZED) !== 0 ? PRIORITY_SIZE : 0);

const tooLongPadding = (padding: number, length: number): string =>
  `upstream sent http2 frame with too long padding: ${padding} in frame ${length}`;
