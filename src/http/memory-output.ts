/** The reply of a subrequest kept in memory, up to `subrequest_output_buffer_size`. */
import { ERROR as ERROR_LEVEL } from '../log/levels.ts';
import { finalize } from './finalize.ts';
import type { BodySink, Data } from './output.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { ERROR } from './verdict.ts';

export class MemoryOutput implements BodySink {
  readonly #pieces: Data[] = [];
  #length = 0;

  /** What has been written so far, a character a byte. */
  get text(): string {
    return Buffer.concat(this.#pieces).latin1Slice();
  }

  get empty(): boolean {
    return this.#length === 0;
  }

  write(request: Request, bytes: Data): void {
    const most = request.location.core.subrequest_output_buffer_size;
    this.#length += bytes.length;
    if (this.#length > most) {
      const { contentLength } = request.out;
      const size = contentLength > most ? `: ${contentLength}` : '';
      logRequest(request, ERROR_LEVEL, `too big subrequest response${size}`);
      finalize(request, ERROR);
      return;
    }
    if (bytes.length > 0) this.#pieces.push(Buffer.from(bytes));
  }
}
