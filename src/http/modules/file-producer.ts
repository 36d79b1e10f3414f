/** Sends a file, or parts of it, as the client takes it: with sendfile(2) where that is possible, else by pieces. */
import { readSync } from 'node:fs';
import { ALERT } from '../../log/levels.ts';
import { errorText } from '../../platform/errno.ts';
import { WOULD_BLOCK } from '../../platform/send-file.ts';
import { finalize } from '../finalize.ts';
import type { OpenFile } from '../open-file.ts';
import { type BodySink, type Data, LAST, NOTHING, OWNED, type Producer } from '../output.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { ERROR, OK } from '../verdict.ts';
import type { RangePart } from './range-sink.ts';

/** Bytes read at once: large enough for few system calls, small enough to be held by a slow client. */
const PIECE = 32768;
/** Where pieces are read to be written at once: who keeps one copies it. Memory of its own for each costs more. */
const shared = Buffer.allocUnsafeSlow(PIECE);
/** Bytes written the usual way when the socket is full: their being sent says that there is room again. */
const PROBE = 4000;

export class FileProducer implements Producer {
  #part = 0;
  #position = -1;
  #closed = false;
  #sink: BodySink | undefined = undefined;
  #parts: readonly RangePart[] = [];
  #after: Data = NOTHING;
  /** Bytes that sendfile(2) may send before others have their turn; 0: it can't be used. */
  #most = 0;

  /** Takes the open file over, and closes it at the end. */
  constructor(readonly file: Pick<OpenFile, 'path' | 'descriptor' | 'close'>) {}

  /** What is to be sent, and where to. */
  begin(request: Request, sink: BodySink, parts: readonly RangePart[], after: Data): void {
    this.#sink = sink;
    this.#parts = parts;
    this.#after = after;
    const { sendfile, sendfile_max_chunk: most } = request.location.core;
    if (sendfile && sink === request.stream && request.stream.sendFile && !request.chunkedOut) {
      this.#most = most > 0 ? most : Number.MAX_SAFE_INTEGER;
    }
  }

  /** Sends as much as the client takes; finalizes the request at the end. */
  resumeOutput(request: Request): void {
    const sink = this.#sink;
    let left = this.#most;
    while (sink && !this.#closed) {
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
      if (this.#position >= part.end) {
        this.#part += 1;
        this.#position = -1;
        continue;
      }
      const before = this.#position;
      const direct = this.#most > 0;
      const going = direct ? this.#send(request, part, left) : this.#piece(request, sink, part);
      if (!going) return;
      left -= this.#position - before;
      if (direct && left <= 0) {
        setImmediate(() => this.resumeOutput(request));
        return;
      }
      if (!direct && request.congested) return;
    }
  }

  /** Lets the system send from the file. Where it can't, pieces are read and written from here on. False: not now. */
  #send(request: Request, part: RangePart, most: number): boolean {
    const { stream } = request;
    const position = this.#position;
    const wanted = Math.min(part.end - position, most);
    const sent = stream.sendFile?.(request, this.file.descriptor(), position, wanted) ?? 0;
    if (sent > 0) this.#position = position + sent;
    if (sent === wanted) return true;
    if (sent === 0) {
      logRequest(request, ALERT, `sendfile() reported that "${this.file.path}" was truncated at ${position}`);
      this.#fail(request);
      return false;
    }
    if (sent < 0 && sent !== WOULD_BLOCK) {
      this.#most = 0;
      return true;
    }
    const probe = Buffer.allocUnsafeSlow(Math.min(PROBE, part.end - this.#position));
    const bytes = this.#read(request, probe, probe.length);
    if (!bytes) return false;
    stream.writeAndWait?.(request, bytes);
    return false;
  }

  /** Reads and writes one piece of a part. False: there is nothing more to do. */
  #piece(request: Request, sink: BodySink, part: RangePart): boolean {
    const bytes = this.#read(request, shared, Math.min(PIECE, part.end - this.#position));
    if (!bytes) return false;
    const last =
      this.#position >= part.end && this.#part + 1 === this.#parts.length && this.#after.length === 0;
    if (!last) {
      sink.write(request, bytes, 0);
      return true;
    }
    this.#close();
    sink.write(request, bytes, LAST);
    finalize(request, OK);
    return false;
  }

  /** The next bytes of the file; undefined, logged, when they can't be read. */
  #read(request: Request, bytes: Buffer, wanted: number): Buffer | undefined {
    let count: number;
    try {
      count = readSync(this.file.descriptor(), bytes, 0, wanted, this.#position);
    } catch (error) {
      logRequest(request, ALERT, `pread() "${this.file.path}" failed (${errorText(error)})`);
      this.#fail(request);
      return undefined;
    }
    if (count === 0 && wanted > 0) {
      logRequest(request, ALERT, `pread() read only 0 of ${wanted} from "${this.file.path}"`);
      this.#fail(request);
      return undefined;
    }
    this.#position += count;
    return count === bytes.length ? bytes : bytes.subarray(0, count);
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
