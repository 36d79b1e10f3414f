/** Sends a file, or parts of it, piece by piece as the client takes it. */
import { readSync } from 'node:fs';
import { ALERT } from '../../log/levels.ts';
import { errorText } from '../../platform/errno.ts';
import { finalize } from '../finalize.ts';
import type { OpenFile } from '../open-file.ts';
import { type BodySink, type Data, LAST, NOTHING, OWNED, type Producer } from '../output.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { ERROR, OK } from '../verdict.ts';
import type { RangePart } from './range-sink.ts';

/** Bytes read at once: large enough for few system calls, small enough to be held by a slow client. */
const PIECE = 131072;

export class FileProducer implements Producer {
  #part = 0;
  #position = -1;
  #closed = false;
  #sink: BodySink | undefined = undefined;
  #parts: readonly RangePart[] = [];
  #after: Data = NOTHING;

  /** Takes the open file over, and closes it at the end. */
  constructor(readonly file: OpenFile) {}

  /** What is to be sent, and where to. */
  begin(sink: BodySink, parts: readonly RangePart[], after: Data): void {
    this.#sink = sink;
    this.#parts = parts;
    this.#after = after;
  }

  /** Sends as much as the client takes; finalizes the request at the end. */
  resumeOutput(request: Request): void {
    const sink = this.#sink;
    if (!sink || this.#closed) return;
    for (;;) {
      const part = this.#parts[this.#part];
      if (!part) {
        this.#close();
        sink.write(request, this.#after, OWNED | LAST);
        finalize(request, OK);
        return;
      }
      if (this.#position < 0) {
        this.#position = part.start;
        if (part.before.length > 0) sink.write(request, part.before, OWNED);
      }
      if (!this.#piece(request, sink, part)) return;
      if (this.#closed || request.congested) return;
    }
  }

  /** Reads and writes one piece of a part. False after an error. */
  #piece(request: Request, sink: BodySink, part: RangePart): boolean {
    const wanted = Math.min(PIECE, part.end - this.#position);
    const bytes = Buffer.allocUnsafeSlow(wanted);
    let count: number;
    try {
      count = readSync(this.file.descriptor(), bytes, 0, wanted, this.#position);
    } catch (error) {
      logRequest(request, ALERT, `pread() "${this.file.path}" failed (${errorText(error)})`);
      this.#fail(request);
      return false;
    }
    if (count === 0 && wanted > 0) {
      logRequest(request, ALERT, `pread() read only 0 of ${wanted} from "${this.file.path}"`);
      this.#fail(request);
      return false;
    }
    this.#position += count;
    const ended = this.#position >= part.end;
    if (ended) {
      this.#part += 1;
      this.#position = -1;
    }
    const last = ended && this.#part === this.#parts.length && this.#after.length === 0;
    if (last) this.#close();
    sink.write(request, count === wanted ? bytes : bytes.subarray(0, count), last ? OWNED | LAST : OWNED);
    if (last) finalize(request, OK);
    return true;
  }

  #fail(request: Request): void {
    this.#close();
    finalize(request, ERROR);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.file.close();
  }

  abortOutput(): void {
    this.#close();
  }
}
