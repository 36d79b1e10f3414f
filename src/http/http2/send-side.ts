/** What the replies of a connection's streams share: the way out, and the room that the client leaves. */
import type { Connection } from '../../net/connection.ts';
import type { Location } from '../location.ts';
import type { FloodGuard } from './flood-guard.ts';
import { FrameWriter } from './frame-writer.ts';
import { DEFAULT_FRAME_SIZE, DEFAULT_WINDOW } from './frames.ts';
import { NO_TABLE } from './hpack-encoder.ts';

export class SendSide {
  readonly writer: FrameWriter;
  /** Bytes of bodies that the client takes on the whole connection. */
  window = DEFAULT_WINDOW;
  /** The largest frame that the client takes. */
  frameSize = DEFAULT_FRAME_SIZE;
  /** The window that a new stream begins with. */
  streamWindow = DEFAULT_WINDOW;
  /** The client has spoken of its table: the next block says that it is not used. */
  tableChanged = false;
  #location: Location | undefined = undefined;
  #chunk = 0;

  constructor(
    readonly connection: Connection,
    readonly guard: FloodGuard,
    readonly chunkOf: (location: Location) => number,
  ) {
    this.writer = new FrameWriter(connection);
  }

  /** The connection takes nothing more for now. */
  get blocked(): boolean {
    return this.connection.congested;
  }

  /** `http2_chunk_size`. */
  chunkSize(location: Location): number {
    if (location !== this.#location) {
      this.#location = location;
      this.#chunk = this.chunkOf(location);
    }
    return this.#chunk;
  }

  tableUpdate(): string {
    if (!this.tableChanged) return '';
    this.tableChanged = false;
    return NO_TABLE;
  }

  /** Frames have been made: bytes of payload that are a reply's, and all of their bytes. */
  counted(payload: number, bytes: number): void {
    this.guard.payload += payload;
    this.guard.total += bytes;
  }
}
