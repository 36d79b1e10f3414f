/**
 * The request's body: read whole (into memory, beyond client_body_buffer_size into a temporary file) or
 * streamed piece by piece, or thrown away. The connection feeds it with decoded bytes.
 */
import type { Request } from './request.ts';
import type { TempFile } from './temp-file.ts';

/** Takes a streamed body (`proxy_request_buffering off`). Holds the client back with `stream.pauseBody()`. */
export interface BodyConsumer {
  /** A decoded piece, there only during the call. */
  bodyPiece(request: Request, bytes: Uint8Array): void;
  bodyEnd(request: Request): void;
}

/** A body as far as it has been read. */
export interface RequestBody {
  /** Decoded bytes so far. */
  readonly length: number;
  readonly complete: boolean;
  /** What is in memory, in order; behind what is in the file. */
  readonly pieces: readonly Uint8Array[];
  /** What is on disk, from its beginning. */
  readonly file: TempFile | undefined;
  /** The request is over: files are closed. */
  release(): void;
}
