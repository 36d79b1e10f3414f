/** Reads a FastCGI reply: records, the CGI head inside them, the body, messages for the error log. */

import type { Request } from '../../../http/request.ts';
import { ERROR, WARN } from '../../../log/levels.ts';
import { latin1 } from '../../../net/latin1.ts';
import type { Reply, UpstreamConf } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { CgiHead, MORE, REFUSED } from './cgi-head.ts';
import { RecordReader } from './records.ts';

const TOO_BIG = 'upstream sent too big header';
const TOO_MUCH = 'upstream sent more data than specified in "Content-Length" header';

/** LF, CR, `.` and space: what is left out at the end of a message. */
const ENDINGS: readonly number[] = [0x0a, 0x0d, 0x2e, 0x20];

/** What a reply needs of the exchange it belongs to. */
export interface ReplyTarget
  extends Pick<
    Upstream,
    | 'head'
    | 'addLine'
    | 'onReplyHead'
    | 'onReplyBody'
    | 'onReplyCut'
    | 'onReplyEnd'
    | 'onReplyInvalid'
    | 'log'
  > {
  readonly conf: Pick<UpstreamConf, 'bufferSize'>;
  readonly request: Pick<Request, 'method'>;
}

/** What of a location's configuration a reply depends on. */
export interface ReplyConf {
  /** `fastcgi_keep_conn`. */
  readonly keep: boolean;
  /** `fastcgi_catch_stderr`: a message that holds one of these makes the reply an invalid one. */
  readonly catchStderr: readonly string[];
  /** Takes a reply that may serve again. */
  readonly spare: (reply: FastcgiReply) => void;
}

export class FastcgiReply extends RecordReader implements Reply {
  behindHead = 0;
  readonly #conf: ReplyConf;
  #upstream: ReplyTarget;
  readonly #cgi: CgiHead = new CgiHead();
  /** Undefined when the head is complete. */
  #head: CgiHead | undefined = this.#cgi;
  /**
   * Where the buffer that nginx reads a head into would begin, in the present bytes: the head, with the records
   * around it, must fit into `fastcgi_buffer_size`.
   */
  #mark = 0;
  #end = 0;
  #stdoutSeen = false;
  /** Bytes of the body still to come by its Content-Length; -1 when there is none. */
  #rest = -1;
  /** It may serve again, but is still at work: what it tells the engine can begin the next request. */
  #feeding = false;
  #retired = false;

  constructor(upstream: ReplyTarget, conf: ReplyConf) {
    super();
    this.#upstream = upstream;
    this.#conf = conf;
  }

  /** Reads another reply with the same object. */
  restart(upstream: ReplyTarget): void {
    this.reset();
    this.#cgi.reset();
    this.#upstream = upstream;
    this.#head = this.#cgi;
    this.#mark = 0;
    this.#stdoutSeen = false;
    this.#rest = -1;
  }

  /** It is done with, and may serve again once nothing of it is running. */
  retire(): void {
    if (this.#feeding) this.#retired = true;
    else this.#conf.spare(this);
  }

  feed(bytes: Buffer, start: number, end: number): void {
    this.#feeding = true;
    this.#feed(bytes, start, end);
    this.#feeding = false;
    if (!this.#retired) return;
    this.#retired = false;
    this.#conf.spare(this);
  }

  #feed(bytes: Buffer, start: number, end: number): void {
    if (!this.#head) {
      this.read(bytes, start, end);
    } else {
      this.#mark += start;
      this.#end = end;
      this.read(bytes, start, end);
      if (this.#head && !this.stopped) {
        this.#mark -= end;
        if (-this.#mark >= this.#upstream.conf.bufferSize) this.onInvalid(TOO_BIG);
      }
    }
  }

  end(): void {
    if (!this.#head && !this.stopped && !this.#conf.keep && this.#rest <= 0) this.#finish(false);
  }

  protected onStdout(bytes: Buffer, start: number, end: number): void {
    const head = this.#head;
    if (!head) {
      this.#body(bytes, start, end);
      return;
    }
    this.#stdoutSeen = true;
    const limit = this.#mark + this.#upstream.conf.bufferSize;
    const behind = start < limit ? head.read(bytes, start, Math.min(end, limit), this.#upstream) : MORE;
    if (behind === REFUSED) this.stopped = true;
    else if (behind === MORE) {
      if (end >= limit) this.onInvalid(TOO_BIG);
    } else {
      this.#head = undefined;
      this.behindHead = this.#end - behind;
      this.#begin();
      if (!this.stopped && behind < end) this.#body(bytes, behind, end);
    }
  }

  /** The head is complete: how long may the body be? */
  #begin(): void {
    const upstream = this.#upstream;
    const { status, contentLength } = upstream.head;
    this.#rest = status === 204 || status === 304 ? 0 : contentLength;
    if (!upstream.onReplyHead()) this.stopped = true;
  }

  #body(bytes: Buffer, start: number, end: number): void {
    const upstream = this.#upstream;
    let stop = end;
    if (this.#rest >= 0) {
      if (end - start > this.#rest) {
        upstream.log(WARN, TOO_MUCH);
        stop = start + this.#rest;
      }
      this.#rest -= stop - start;
    }
    if (stop > start && !upstream.onReplyBody(bytes.subarray(start, stop))) this.stopped = true;
    else if (stop < end) this.#finish(false);
  }

  protected onStdoutEnd(): void {
    if (this.#head || this.#missing()) this.#cut('upstream prematurely closed FastCGI stdout');
  }

  protected onEndRequest(): void {
    if (this.#head) this.onInvalid('upstream sent unexpected FastCGI record: 3');
    else if (this.#missing()) this.#cut('upstream prematurely closed FastCGI request');
  }

  protected onFinish(protocolStatus: number, exact: boolean): void {
    const { keep } = this.#conf;
    this.#finish(keep && exact && protocolStatus === 0, !keep);
  }

  /** The body is shorter than its Content-Length; a reply to HEAD may say one and have no body. */
  #missing(): boolean {
    const { request, head } = this.#upstream;
    return this.#rest > 0 && (request.method !== 'HEAD' || this.#rest < head.contentLength);
  }

  #finish(keep: boolean, peerCloses = false): void {
    this.stopped = true;
    this.#upstream.onReplyEnd(keep, peerCloses);
  }

  protected onStderr(bytes: Buffer, start: number, end: number): void {
    if (!this.#head || this.#stdoutSeen) {
      this.#message(bytes, start, end);
      return;
    }
    if (start > this.#nextMark()) {
      this.onInvalid(TOO_BIG);
      return;
    }
    // Messages before the reply may be of any length: what fills nginx's buffer is logged and forgotten.
    let from = start;
    for (let limit = this.#nextMark(); limit <= end; limit = this.#nextMark()) {
      this.#message(bytes, from, limit);
      if (this.stopped) return;
      this.#mark = from = limit;
    }
    this.#message(bytes, from, end);
    if (end === this.#end) this.#mark = end;
  }

  #nextMark(): number {
    return this.#mark + this.#upstream.conf.bufferSize;
  }

  #message(bytes: Buffer, start: number, end: number): void {
    if (start === end) return;
    let stop = end;
    while (stop > start + 1 && ENDINGS.includes(bytes[stop - 1] ?? 0)) stop--;
    const message = latin1(bytes, start, stop);
    this.#upstream.log(ERROR, `FastCGI sent in stderr: "${message}"`);
    // The message itself is the reason: nothing more is logged.
    if (this.#head && this.#conf.catchStderr.some((text) => message.includes(text))) this.onInvalid('');
  }

  #cut(reason: string): void {
    this.stopped = true;
    this.#upstream.onReplyCut(reason);
  }

  protected onInvalid(reason: string): void {
    this.stopped = true;
    this.#upstream.onReplyInvalid(reason);
  }
}
