/** The bytes of a client's replies: head and body framed and written, and the time that the client has to take them. */
import type { Connection } from '../../net/connection.ts';
import { textOf } from '../../net/latin1.ts';
import { Timer, type TimerOwner } from '../../net/timers.ts';
import { type Data, LAST, OWNED } from '../output.ts';
import type { Request } from '../request.ts';
import { headText } from '../write-head.ts';

/** A body piece up to this size joins the head in one string; larger ones go beside it. */
const JOIN = 16384;

/** Whose replies they are. */
export interface WriterOwner {
  readonly connection: Connection;
  /** The client has taken nothing for send_timeout. */
  sendingTimedOut(request: Request): void;
}

const trailerLines = (trailers: readonly string[]): string => {
  let text = '';
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return text;
};

export class ReplyWriter implements TimerOwner {
  /** Bytes of the present reply's head. */
  headLength = 0;
  /** The head, until it goes out with the first piece of the body. */
  #head = '';
  #sentBefore = 0;
  #timer: Timer | undefined = undefined;
  #watched: Request | undefined = undefined;
  #unsent = 0;

  constructor(readonly owner: WriterOwner) {}

  /** Another request begins: what is sent is counted from here. */
  begin(): void {
    this.#sentBefore = this.owner.connection.sent;
    this.headLength = 0;
  }

  /** Bytes of the present reply handed to the client so far. */
  get sent(): number {
    return this.owner.connection.sent - this.#sentBefore;
  }

  get congested(): boolean {
    return this.owner.connection.congested;
  }

  writeHead(request: Request): void {
    this.#head = headText(request);
    this.headLength = this.#head.length;
  }

  writeInterim(status: string, lines: readonly string[]): void {
    this.owner.connection.writeText(`HTTP/1.1 ${status}\r\n${trailerLines(lines)}\r\n`);
  }

  /** The head goes out by itself, where no body has taken it along. */
  flushHead(): void {
    if (this.#head === '') return;
    const head = this.#head;
    this.#head = '';
    this.owner.connection.writeText(head);
  }

  /** The reply is given up. */
  dropHead(): void {
    this.#head = '';
  }

  /** A whole small body; the caller has seen that it is neither chunked nor left out. */
  writeText(request: Request, text: string): void {
    request.bodySent += text.length;
    const head = this.#head;
    this.#head = '';
    if (!this.owner.connection.writeText(head + text)) this.watch(request);
  }

  /** Bytes of a file as a part of the body, which is not chunked. As `Connection.sendFile`. */
  sendFile(request: Request, file: number, position: number, count: number): number {
    this.flushHead();
    const sent = this.owner.connection.sendFile(file, position, count);
    if (sent > 0) request.bodySent += sent;
    return sent;
  }

  /** A piece of the body, which is not chunked; the producer goes on in any case when it has been sent. */
  writeAndWait(request: Request, bytes: Data): void {
    this.flushHead();
    request.bodySent += bytes.length;
    this.owner.connection.writeAndTell(bytes);
    this.watch(request);
  }

  /** A piece of the body, framed. */
  write(request: Request, bytes: Data, flags: number): void {
    const { connection } = this.owner;
    const length = request.headerOnly ? 0 : bytes.length;
    let head = this.#head;
    this.#head = '';
    let tail = '';
    if (request.chunkedOut && !request.headerOnly) {
      if (length > 0) {
        const size = `${length.toString(16)}\r\n`;
        head += size;
        tail = '\r\n';
        // As in nginx, $body_bytes_sent counts the framing too.
        request.bodySent += size.length;
      }
      if ((flags & LAST) !== 0) {
        const { trailers } = request.out;
        tail += trailers === undefined ? '0\r\n\r\n' : `0\r\n${trailerLines(trailers)}\r\n`;
      }
      request.bodySent += tail.length;
    }
    let free = true;
    if (length === 0) {
      if (head !== '' || tail !== '') free = connection.writeText(head + tail);
    } else if (length <= JOIN) {
      request.bodySent += length;
      free = connection.writeText(head + textOf(bytes) + tail);
    } else {
      request.bodySent += length;
      if ((flags & OWNED) === 0) free = connection.writeCopy(head, bytes);
      else free = head === '' ? connection.writeBytes(bytes) : connection.writeBoth(head, bytes);
      if (tail !== '') free = connection.writeText(tail);
    }
    if (!free) this.watch(request);
  }

  /** Something is queued: the client has send_timeout to take some of it. */
  watch(request: Request): void {
    this.#timer ??= new Timer(this);
    this.#watched = request;
    this.#unsent = this.owner.connection.unsent;
    this.#timer.start(request.location.core.send_timeout);
  }

  /** All that was queued has been taken. */
  drained(): void {
    this.#timer?.stop();
  }

  /** The connection ends. */
  remove(): void {
    this.#timer?.remove();
  }

  onTimer(timer: Timer): void {
    const request = this.#watched;
    const { unsent } = this.owner.connection;
    if (!request || unsent === 0) return;
    if (unsent < this.#unsent) {
      this.#unsent = unsent;
      timer.start(request.location.core.send_timeout);
      return;
    }
    this.owner.sendingTimedOut(request);
  }
}
