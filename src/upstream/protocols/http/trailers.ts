/** Trailers behind the last chunk, where they are passed on (`proxy_pass_trailers`). */
import { HeadLines, LAST_LINE, LINE, NO_LINE } from './head-lines.ts';

/** What `read` came to: all trailers are there; they go on; they are not valid, `reason` says why. */
export const TRAILERS_DONE = 0;
export const TRAILERS_UNFINISHED = 1;
export const TRAILERS_INVALID = 2;

export class TrailerReader {
  /** Name, value, name, value ... */
  readonly lines: string[] = [];
  /** After TRAILERS_DONE: where the bytes behind the trailers begin. */
  next = 0;
  reason = '';
  #rest = '';
  #bytes = 0;
  readonly #reader = new HeadLines();

  /** Reads on; trailers longer than `limit` bytes are not valid. */
  read(bytes: Buffer, start: number, end: number, limit: number): number {
    const reader = this.#reader;
    const before = this.#rest.length;
    const taken = Math.min(end - start, limit - this.#bytes);
    reader.reset(this.#rest + bytes.latin1Slice(start, start + taken));
    this.#bytes += taken;
    let found = reader.next();
    for (; found === LINE; found = reader.next()) this.lines.push(reader.name, reader.value);
    this.next = start + reader.position - before;
    if (found === LAST_LINE) return TRAILERS_DONE;
    if (found === NO_LINE) {
      this.reason = `upstream sent invalid trailer: "${reader.wrong}"`;
      return TRAILERS_INVALID;
    }
    if (this.#bytes >= limit) {
      this.reason = 'upstream sent too big trailers';
      return TRAILERS_INVALID;
    }
    this.#rest = reader.text.slice(reader.position);
    return TRAILERS_UNFINISHED;
  }
}
