/** The head of a reply, piece by piece as it comes: the status line, the lines behind it, interim heads before it. */
import { INFO } from '../../../log/levels.ts';
import { ReplyHead } from '../../reply-head.ts';
import { HeadLines, LAST_LINE, LINE, NO_LINE, UNFINISHED } from './head-lines.ts';
import type { HeadMemory } from './head-memory.ts';
import type { ReplyTarget } from './reply.ts';
import { mayBeStatusLine, StatusLine } from './status-line.ts';

/** What `read` came to: the head is complete; it goes on; there is none (HTTP/0.9); the reply is of no more interest. */
export const HEAD_DONE = 0;
export const HEAD_UNFINISHED = 1;
export const HEAD_NONE = 2;
export const HEAD_REFUSED = 3;

const STATUS_LINE = 0;
const HEADERS = 1;
const INTERIM_HEADERS = 2;

const SWITCHING_PROTOCOLS = 101;
const EARLY_HINTS = 103;
const HTTP_11 = 1001;

export class HeadReader {
  readonly status = new StatusLine();
  /** After HEAD_DONE and HEAD_NONE: where the bytes begin that belong to no head. */
  next = 0;
  /** What had come of the head, after HEAD_NONE. */
  begun = '';
  #state = STATUS_LINE;
  /** The beginning of an unfinished line, and how many bytes of the present head have come. */
  #rest = '';
  #headBytes = 0;
  #interimBytes = 0;
  #interim: string[] | undefined = undefined;
  readonly #lines = new HeadLines();

  constructor(readonly memory: HeadMemory) {}

  /** Another reply begins. */
  reset(): void {
    this.#state = STATUS_LINE;
    this.#rest = '';
    this.#headBytes = 0;
    this.#interimBytes = 0;
    this.#interim = undefined;
  }

  /** Reads on; no more than `limit` bytes make a head. Lines and interim replies go to `target`. */
  read(target: ReplyTarget, bytes: Buffer, start: number, end: number, limit: number): number {
    for (let from = start; ; from = this.next) {
      const found = this.#readPiece(target, bytes, from, end, limit);
      if (found !== LAST_LINE)
        return found === UNFINISHED ? this.#stop(target, limit) : this.#ended(target, found);
      if (this.#state === HEADERS) return HEAD_DONE;
      if (!this.#endInterim(target, limit)) return HEAD_REFUSED;
      if (this.next >= end) return HEAD_UNFINISHED;
    }
  }

  /** Reads the lines of one head in one piece, as far as they go. */
  #readPiece(target: ReplyTarget, bytes: Buffer, start: number, end: number, limit: number): number {
    const lines = this.#lines;
    const before = this.#rest.length;
    const taken = Math.min(end - start, limit - this.#headBytes);
    const piece = bytes.latin1Slice(start, start + taken);
    const whole = before === 0 && this.#state === STATUS_LINE;
    if (whole) {
      const known = this.memory.find(piece);
      if (known) return this.#repeat(target, known, piece, start);
    }
    lines.reset(before === 0 ? piece : this.#rest + piece);
    this.#headBytes += taken;
    this.next = start + taken;
    let found = LINE;
    if (this.#state === STATUS_LINE) {
      found = this.#readStatus();
      if (found !== LINE) return found;
      this.#beginLines(target);
    }
    for (found = lines.next(); found === LINE; found = lines.next()) {
      if (this.#state === INTERIM_HEADERS) this.#interim?.push(lines.name, lines.value);
      else if (!target.addLine(lines.name, lines.value)) return REFUSED;
    }
    this.next = start + lines.position - before;
    if (whole && found === LAST_LINE && this.#state === HEADERS) this.#remember(target.head);
    return found;
  }

  /** The head is the one that is remembered. */
  #repeat(target: ReplyTarget, head: ReplyHead, piece: string, start: number): number {
    const { length } = this.memory;
    target.head = head;
    this.#state = HEADERS;
    this.#lines.text = piece;
    this.#lines.position = length;
    this.next = start + length;
    return LAST_LINE;
  }

  /** Not those with lines that the log was told about, nor what begins a tunnel. */
  #remember(head: ReplyHead): void {
    const { text, position } = this.#lines;
    if (head.reason === '' && head.status >= 200) this.memory.keep(text, position, head);
  }

  /** The `length` bytes behind the head as text, when they came with all of it in one piece; else undefined. */
  textBehind(length: number): string | undefined {
    const { text, position } = this.#lines;
    return this.#rest === '' && position + length <= text.length
      ? text.slice(position, position + length)
      : undefined;
  }

  /** What a line that is none, or refused, comes to. */
  #ended(target: ReplyTarget, found: number): number {
    if (found === REFUSED) return HEAD_REFUSED;
    if (this.#state === STATUS_LINE) {
      this.begun = this.#lines.text;
      return HEAD_NONE;
    }
    target.onReplyInvalid(`upstream sent invalid header: "${this.#lines.wrong}"`);
    return HEAD_REFUSED;
  }

  /** The rest of an unfinished head waits for the next piece, unless it has grown too large. */
  #stop(target: ReplyTarget, limit: number): number {
    if (this.#headBytes >= limit) {
      target.onReplyInvalid('upstream sent too big header');
      return HEAD_REFUSED;
    }
    const { text, position } = this.#lines;
    this.#rest = position === 0 ? text : text.slice(position);
    return HEAD_UNFINISHED;
  }

  /** LINE, UNFINISHED, or NO_LINE for what is no status line. */
  #readStatus(): number {
    const { text } = this.#lines;
    const lf = text.indexOf('\n');
    if (lf < 0) return mayBeStatusLine(text) ? UNFINISHED : NO_LINE;
    this.#lines.position = lf + 1;
    return this.status.read(text, lf) ? LINE : NO_LINE;
  }

  #beginLines(target: ReplyTarget): void {
    const { code, text } = this.status;
    this.#lines.restart();
    if (code >= 100 && code < 200 && code !== SWITCHING_PROTOCOLS) {
      this.#state = INTERIM_HEADERS;
      this.#interim = [];
      return;
    }
    const head = new ReplyHead();
    target.head = head;
    head.status = code;
    head.statusLine = text;
    // nginx keeps no connection to an HTTP/1.0 server, whatever its Connection header says.
    head.connectionClose = this.status.version < HTTP_11;
    this.#state = HEADERS;
  }

  /** Of interim replies only early hints are passed on, and only as many as fit. */
  #endInterim(target: ReplyTarget, limit: number): boolean {
    const interim = this.#interim ?? [];
    const { code, version } = this.status;
    this.#interimBytes += this.#headBytes - (this.#lines.text.length - this.#lines.position);
    this.#state = STATUS_LINE;
    this.#rest = '';
    this.#headBytes = 0;
    this.#interim = undefined;
    if (code !== EARLY_HINTS) return true;
    if (version < 1001) {
      target.onReplyInvalid('upstream sent HTTP/1.0 response with early hints');
      return false;
    }
    if (this.#interimBytes <= limit) return target.onInterim(code, interim);
    target.log(INFO, 'upstream sent too big early hints');
    return true;
  }
}

/** Beside what HeadLines finds: the engine has refused a line. */
const REFUSED = -1;
