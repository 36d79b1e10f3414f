/** Reads `VALUE KEY FLAGS LENGTH`, the value and `END`; or `END` alone, which is a 404. */
import { parseNumber } from '../../../config/numbers.ts';
import { ERROR, INFO } from '../../../log/levels.ts';
import type { Reply, UpstreamConf } from '../../contract.ts';
import { ReplyHead } from '../../reply-head.ts';
import type { Upstream } from '../../upstream.ts';

const LF = 0x0a;
/** What stands behind a value. */
const TRAILER = Buffer.from('\r\nEND\r\n');

/** What a reply needs of its exchange. */
export interface MemcachedTarget
  extends Pick<
    Upstream,
    'head' | 'keep' | 'addLine' | 'onReplyHead' | 'onReplyBody' | 'onReplyEnd' | 'onReplyInvalid' | 'log'
  > {
  readonly conf: Pick<UpstreamConf, 'bufferSize'>;
}

export class MemcachedReply implements Reply {
  behindHead = 0;
  readonly #upstream: MemcachedTarget;
  readonly #key: string;
  readonly #gzipFlag: number;
  /** What has come of the line; undefined when it is complete. */
  #line: string | undefined = '';
  /** Bytes of the value still to come, then bytes of the trailer that have come. */
  #rest = 0;
  #matched = 0;
  #over = false;

  constructor(upstream: MemcachedTarget, key: string, gzipFlag: number) {
    this.#upstream = upstream;
    this.#key = key;
    this.#gzipFlag = gzipFlag;
  }

  feed(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return;
    if (this.#line === undefined) {
      this.#body(bytes, start, end);
      return;
    }
    const newline = bytes.indexOf(LF, start);
    const stop = newline < 0 || newline >= end ? end : newline;
    const line = this.#line + bytes.latin1Slice(start, stop);
    if (stop === end) {
      this.#line = line;
      if (line.length >= this.#upstream.conf.bufferSize) this.#refuse('upstream sent too big header');
      return;
    }
    this.#line = undefined;
    this.behindHead = end - stop - 1;
    if (this.#begin(line) && stop + 1 < end) this.#body(bytes, stop + 1, end);
  }

  /** Understands the line. False: there is no value. */
  #begin(line: string): boolean {
    if (!line.endsWith('\r')) return this.#refuse(`memcached sent invalid response: "${line}"`);
    const text = line.slice(0, -1);
    if (text === 'END') return this.#missing();
    const invalid = `memcached sent invalid response: "${text}"`;
    if (!text.startsWith('VALUE ')) return this.#refuse(invalid);
    const about = (what: string): string =>
      `memcached sent invalid ${what} in response "${text}" for key "${this.#key}"`;
    if (!text.startsWith(this.#key, 6)) return this.#refuse(about('key'));
    const behind = text.slice(6 + this.#key.length);
    const space = behind.indexOf(' ', 1);
    if (!behind.startsWith(' ') || space < 0) return this.#refuse(invalid);
    const flags = this.#gzipFlag === 0 ? 0 : parseNumber(behind.slice(1, space));
    if (flags === undefined) return this.#refuse(about('flags'));
    const length = parseNumber(behind.slice(space + 1));
    if (length === undefined) return this.#refuse(about('length'));
    return this.#value(length, (flags & this.#gzipFlag) !== 0);
  }

  #value(length: number, gzipped: boolean): boolean {
    const upstream = this.#upstream;
    const head = new ReplyHead();
    upstream.head = head;
    head.status = 200;
    head.contentLength = length;
    this.#rest = length;
    if (gzipped) upstream.addLine('Content-Encoding', 'gzip');
    if (!upstream.onReplyHead()) this.#over = true;
    return !this.#over;
  }

  #missing(): false {
    const upstream = this.#upstream;
    upstream.log(INFO, `key: "${this.#key}" was not found by memcached`);
    const head = new ReplyHead();
    upstream.head = head;
    head.status = 404;
    head.contentLength = 0;
    upstream.keep = this.behindHead === 0;
    this.#over = true;
    upstream.onReplyHead();
    return false;
  }

  #body(bytes: Buffer, start: number, end: number): void {
    const stop = Math.min(end, start + this.#rest);
    this.#rest -= stop - start;
    if (stop > start && !this.#upstream.onReplyBody(bytes.subarray(start, stop))) {
      this.#over = true;
      return;
    }
    if (stop === end) return;
    const length = end - stop;
    const good =
      length <= TRAILER.length - this.#matched &&
      bytes.compare(TRAILER, this.#matched, this.#matched + length, stop, end) === 0;
    if (!good) this.#upstream.log(ERROR, 'memcached sent invalid trailer');
    this.#matched += length;
    if (good && this.#matched < TRAILER.length) return;
    this.#over = true;
    this.#upstream.onReplyEnd(good);
  }

  end(): void {}

  #refuse(reason: string): false {
    this.#over = true;
    this.#upstream.onReplyInvalid(reason);
    return false;
  }
}
