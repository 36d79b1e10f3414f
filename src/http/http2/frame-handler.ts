/** What the frame reader tells of a client's frames. */

/** A call that answers false has ended the connection. */
export interface FrameHandler {
  /** The connection is ended for the client's fault. */
  fail(code: number, reason: string): false;
  /** Something to be logged that ends nothing. */
  note(reason: string): void;
  /** A DATA frame of `size` bytes, padding included, begins; its bytes follow with `bodyBytes`. */
  data(id: number, flags: number, size: number): boolean;
  /** `last`: the frame's own bytes end at `end`; may come with no bytes then. */
  bodyBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean;
  /** A HEADERS frame begins, whose block is `length` bytes; `weight` is 0 where it says nothing of priority. */
  headers(
    id: number,
    flags: number,
    length: number,
    weight: number,
    depend: number,
    exclusive: boolean,
  ): boolean;
  /** A CONTINUATION frame adds `length` bytes to the block. */
  moreHeaders(length: number): void;
  /** Bytes of the block; `last`: it ends at `end`. */
  blockBytes(bytes: Buffer, start: number, end: number, last: boolean): boolean;
  priority(id: number, weight: number, depend: number, exclusive: boolean): boolean;
  reset(id: number, code: number): void;
  setting(id: number, value: number): boolean;
  settingsEnd(): void;
  settingsAcknowledged(): void;
  /** `payload`: its eight bytes as text. */
  ping(payload: string): boolean;
  windowUpdate(id: number, increment: number): boolean;
}
