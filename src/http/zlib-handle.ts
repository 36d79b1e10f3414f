/** What is used of the zlib streams of Node: the handle below one does a piece at once, on this thread. */
interface ZlibHandle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
  reset(): void;
}

export interface ZlibStream {
  readonly _handle?: ZlibHandle | null;
  /** What is left of the output's room and of the input after a write. */
  readonly _writeState?: Uint32Array;
}
