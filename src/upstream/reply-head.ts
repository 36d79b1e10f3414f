/** The head of an upstream's reply, line by line as a protocol reads it. */
import { parseOffset } from '../config/numbers.ts';
import {
  CONNECTION,
  CONTENT_LENGTH,
  KEEP_ALIVE,
  type ReplyName,
  replyName,
  SINGLE,
  TRANSFER_ENCODING,
} from './reply-name.ts';

/** What `add` found: the line is kept, or dropped with a warning, or the reply is not valid. */
export const LINE_OK = 0;
export const LINE_IGNORED = 1;
export const LINE_INVALID = 2;

/** Lines keep order and duplicates. One that is complete does not change any more, and may serve several requests. */
export class ReplyHead {
  status = 0;
  /** `404 Not Found` as the peer wrote it; '' when it gave no reason. */
  statusLine = '';
  readonly names: ReplyName[] = [];
  readonly values: string[] = [];
  /** -1 when not given. */
  contentLength = -1;
  chunked = false;
  /** A Connection line contains `close`; a protocol may set it itself (HTTP/1.0). */
  connectionClose = false;
  /** Milliseconds of `Keep-Alive: timeout=`; -1 when the peer said nothing. */
  keepAliveTimeout = -1;
  /** The peer agreed to switch protocols: what follows is a tunnel. Set by the protocol before `onReplyHead`. */
  upgrade = false;
  /** Why the last line was not kept, in nginx's words. */
  reason = '';
  /** A bit per kind that has been seen. */
  seen = 0;

  /** Takes one line. The answer is LINE_OK, LINE_IGNORED or LINE_INVALID, the latter two with `reason`. */
  add(text: string, value: string): number {
    const name = replyName(text);
    const kind = name.kind;
    if (kind !== 0) {
      const bit = 1 << kind;
      if ((this.seen & bit & SINGLE) !== 0) {
        this.reason = `${this.#duplicate(name, value)}, ignored`;
        return LINE_IGNORED;
      }
      if (kind === CONTENT_LENGTH || kind === TRANSFER_ENCODING) {
        if (!this.#framing(name, value)) return LINE_INVALID;
      } else if (kind === CONNECTION) {
        if (value !== 'keep-alive' && /close/i.test(value)) this.connectionClose = true;
      } else if (kind === KEEP_ALIVE) {
        const seconds = /(?:^|[\s,])timeout=([0-9]{1,9})/i.exec(value)?.[1];
        if (seconds !== undefined) this.keepAliveTimeout = Number(seconds) * 1000;
      }
      this.seen |= bit;
    }
    this.names.push(name);
    this.values.push(value);
    return LINE_OK;
  }

  /** The first value of a kind of line. */
  value(kind: number): string | undefined {
    if ((this.seen & (1 << kind)) === 0) return undefined;
    return this.values[this.names.findIndex((name) => name.kind === kind)];
  }

  /** The first value of a line by its lower-case name. */
  line(lower: string): string | undefined {
    return this.values[this.names.findIndex((name) => name.lower === lower)];
  }

  #framing(name: ReplyName, value: string): boolean {
    const bit = 1 << name.kind;
    if ((this.seen & bit) !== 0) {
      this.reason = this.#duplicate(name, value);
    } else if ((this.seen & ((1 << CONTENT_LENGTH) | (1 << TRANSFER_ENCODING))) !== 0) {
      this.reason = 'upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time';
    } else if (name.kind === CONTENT_LENGTH) {
      const digits = /^[0-9]+$/.test(value);
      // The usual lengths are exact without BigInt.
      const length = digits && value.length < 16 ? Number(value) : digits ? parseOffset(value) : undefined;
      if (length !== undefined) {
        this.contentLength = length;
        return true;
      }
      this.reason = `upstream sent invalid "Content-Length" header: "${name.text}: ${value}"`;
    } else if (value.toLowerCase() === 'chunked') {
      this.chunked = true;
      return true;
    } else {
      this.reason = `upstream sent unknown "Transfer-Encoding": "${value}"`;
    }
    return false;
  }

  #duplicate(name: ReplyName, value: string): string {
    const index = this.names.findIndex(({ kind }) => kind === name.kind);
    const previous = `${this.names[index]?.text}: ${this.values[index]}`;
    return `upstream sent duplicate header line: "${name.text}: ${value}", previous value: "${previous}"`;
  }
}

/** While there is no reply. */
export const NO_HEAD: ReplyHead = new ReplyHead();
