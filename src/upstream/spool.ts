/** Where a reply waits for a slow client: in memory up to a limit, behind that in a temporary file. In order. */
import { LAST, OWNED } from '../http/output.ts';
import type { Request } from '../http/request.ts';
import { TempFile } from '../http/temp-file.ts';
import type { TempPath } from './contract.ts';

/** Bytes of the file that are given to the client at a time. */
const PIECE = 65536;

export class Spool {
  readonly #pieces: Uint8Array[] = [];
  #inMemory = 0;
  #file: TempFile | undefined = undefined;
  #read = 0;
  readonly #memoryLimit: number;
  readonly #fileLimit: number;
  readonly #path: TempPath;
  readonly #onFile: (path: string) => void;

  /** `onFile` is told when the file is made. */
  constructor(memoryLimit: number, fileLimit: number, path: TempPath, onFile: (path: string) => void) {
    this.#memoryLimit = memoryLimit;
    this.#fileLimit = fileLimit;
    this.#path = path;
    this.#onFile = onFile;
  }

  get empty(): boolean {
    return this.#inMemory === 0 && this.#unread === 0;
  }

  /** Nothing more should be added until some has been taken. */
  get full(): boolean {
    if (this.#inMemory < this.#memoryLimit && this.#unread === 0) return false;
    return this.#fileLimit === 0 || (this.#file?.length ?? 0) >= this.#fileLimit;
  }

  /** Takes a copy of `bytes`. Throws the system's error when the file can't be written. */
  add(bytes: Uint8Array): void {
    const toFile = this.#unread > 0 || (this.#inMemory >= this.#memoryLimit && this.#fileLimit > 0);
    if (!toFile) {
      this.#pieces.push(Buffer.from(bytes));
      this.#inMemory += bytes.length;
      return;
    }
    if (!this.#file) {
      this.#file = new TempFile(this.#path);
      this.#onFile(this.#file.path);
    }
    this.#file.append(bytes);
  }

  /** Writes to the client what it takes; `end`: with LAST on the final piece. True: nothing is left. */
  drain(request: Request, end: boolean): boolean {
    while (!this.empty) {
      if (request.congested) return false;
      const bytes = this.#take();
      request.sink.write(request, bytes, end && this.empty ? OWNED | LAST : OWNED);
    }
    return true;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#pieces.length = 0;
    this.#inMemory = 0;
  }

  get #unread(): number {
    return this.#file ? this.#file.length - this.#read : 0;
  }

  #take(): Uint8Array {
    const piece = this.#pieces.shift();
    if (piece) {
      this.#inMemory -= piece.length;
      return piece;
    }
    const file = this.#file;
    if (!file) return new Uint8Array(0);
    const bytes = Buffer.allocUnsafe(Math.min(PIECE, this.#unread));
    const length = file.read(bytes, this.#read);
    this.#read += length;
    if (length < bytes.length || this.#unread === 0) {
      // All of it has been passed on: the file is written from its beginning again.
      this.#read = 0;
      file.length = 0;
    }
    return bytes.subarray(0, length);
  }
}
