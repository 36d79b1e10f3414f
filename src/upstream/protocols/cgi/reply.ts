/** A CGI reply (RFC 3875 section 6) as it is: a status line of HTTP may stand before its head, and its body ends with the connection. */
import type { Request } from '../../../http/request.ts';
import { WARN } from '../../../log/levels.ts';
import type { Reply, UpstreamConf } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { CgiHead, MORE, REFUSED } from '../fastcgi/cgi-head.ts';

const TOO_BIG = 'upstream sent too big header';
const TOO_MUCH = 'upstream sent more data than specified in "Content-Length" header';

const LF = 0x0a;
const STATUS_LINE = /^HTTP\/\d+\.\d+ +((\d{3})(?: [^\r\n]*)?)\r?\n$/;

/** What a reply needs of its exchange. */
export interface CgiTarget
  extends Pick<
    Upstream,
    'head' | 'addLine' | 'onReplyHead' | 'onReplyBody' | 'onReplyEnd' | 'onReplyInvalid' | 'log'
  > {
  readonly conf: Pick<UpstreamConf, 'bufferSize'>;
}

/** And of its request. */
export interface CgiAsked extends Pick<Request, 'method'> {
  readonly headers: Pick<Request['headers'], 'get'>;
}

export class CgiReply implements Reply {
  behindHead = 0;
  readonly #head = new CgiHead();
  #inHead = true;
  /** Nothing more is wanted. */
  #over = false;
  /** The beginning of what may be a status line. */
  #first: Buffer | undefined = undefined;
  /** `200 OK` of a status line; '' without one; undefined while that is not known. */
  #status: string | undefined = undefined;
  /** Bytes of the head so far. */
  #length = 0;
  /** Bytes of the body still to come; -1: all until the end. */
  #rest = -1;

  constructor(
    readonly request: CgiAsked,
    readonly upstream: CgiTarget,
  ) {}

  feed(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    if (!this.#inHead) {
      this.#body(bytes, start, end);
      return;
    }
    const first = this.#first;
    if (first) {
      this.#first = undefined;
      const all = Buffer.concat([first, bytes.subarray(start, end)]);
      this.#readHead(all, 0, all.length);
      return;
    }
    this.#readHead(bytes, start, end);
  }

  #readHead(bytes: Buffer, start: number, end: number): void {
    const { upstream } = this;
    const limit = upstream.conf.bufferSize - this.#length;
    const stop = Math.min(end, start + limit);
    let from = start;
    if (this.#status === undefined) {
      const behind = this.#statusLine(bytes, start, stop);
      if (behind === MORE) {
        if (end - start >= limit) this.#refuse(TOO_BIG);
        else this.#first = Buffer.from(bytes.subarray(start, end));
        return;
      }
      from = behind;
    }
    const behind = this.#head.read(bytes, from, stop, upstream);
    if (behind === REFUSED) {
      this.#over = true;
      return;
    }
    if (behind === MORE) {
      this.#length += stop - start;
      if (this.#length >= upstream.conf.bufferSize) this.#refuse(TOO_BIG);
      return;
    }
    this.behindHead = end - behind;
    this.#begin();
    if (!this.#over && behind < end) this.#body(bytes, behind, end);
  }

  /** Where the head begins behind a status line, if there is one; MORE when that can't be said yet. */
  #statusLine(bytes: Buffer, start: number, end: number): number {
    const text = bytes.latin1Slice(start, Math.min(end, start + 5));
    if (!'HTTP/'.startsWith(text)) {
      this.#status = '';
      return start;
    }
    const newline = bytes.indexOf(LF, start);
    if (newline < 0 || newline >= end) return MORE;
    const [, status = ''] = STATUS_LINE.exec(bytes.latin1Slice(start, newline + 1)) ?? [];
    this.#status = status;
    return status === '' ? start : newline + 1;
  }

  #begin(): void {
    const { upstream, request } = this;
    const { head } = upstream;
    const status = this.#status ?? '';
    this.#inHead = false;
    if (status !== '') {
      head.status = Number(status.slice(0, 3));
      head.statusLine = status;
    }
    if (head.status === 101 && request.headers.get('upgrade') !== undefined) head.upgrade = true;
    if (head.status === 204 || head.status === 304) this.#rest = 0;
    else if (request.method !== 'HEAD') this.#rest = head.contentLength;
    if (!upstream.onReplyHead()) this.#over = true;
    else if (this.#rest === 0) this.#finish();
  }

  #body(bytes: Buffer, start: number, end: number): void {
    const { upstream } = this;
    let stop = end;
    if (this.#rest >= 0) {
      if (end - start > this.#rest) {
        upstream.log(WARN, TOO_MUCH);
        stop = start + this.#rest;
      }
      this.#rest -= stop - start;
    }
    if (stop > start && !upstream.onReplyBody(bytes.subarray(start, stop))) this.#over = true;
    else if (this.#rest === 0) this.#finish();
  }

  end(): void {
    if (!this.#over && !this.#inHead && this.#rest < 0) this.#finish();
  }

  #finish(): void {
    this.#over = true;
    this.upstream.onReplyEnd(false);
  }

  #refuse(reason: string): void {
    this.#over = true;
    this.upstream.onReplyInvalid(reason);
  }
}
