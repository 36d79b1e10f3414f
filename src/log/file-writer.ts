/**
 * Bytes to one open descriptor, on pino's destination. What cannot be written now is kept, within bounds, and
 * tried again; nothing here throws, since a full disk must not stop a proxy.
 */
import sonic from 'sonic-boom';
import { errorCode } from '../platform/errno.ts';

// Its types know strings only; with `contentMode: 'buffer'` it takes bytes.
declare module 'sonic-boom' {
  interface SonicBoom {
    write(data: Uint8Array): boolean;
  }
}

/** Bytes that may wait while the disk is full. */
const MOST_HELD = 1 << 20;
/** nginx leaves a full disk alone for a second; a pipe whose reader is slow is asked sooner. */
const RETRY = 1000;
const RETRY_BUSY = 50;
const NOTHING = Buffer.alloc(0);

/** Told of every failed attempt, and with undefined when writing works again after `lost` lines were dropped. */
export type WriteTrouble = (error: Error | undefined, lost: number) => void;

export class FileWriter {
  readonly #out: sonic.SonicBoom;
  readonly #trouble: WriteTrouble;
  /** Lines dropped since `#trouble` was last told. */
  #lost = 0;
  /** Lines of the write under way. */
  #lines = 0;
  #failing = false;
  #timer: NodeJS.Timeout | undefined = undefined;

  /** `fd` stays the caller's to close. */
  constructor(fd: number, trouble: WriteTrouble) {
    this.#trouble = trouble;
    // Synchronous: a batch a turn of the event loop costs less than a trip to the thread pool, and is in order.
    this.#out = new sonic.SonicBoom({
      fd,
      sync: true,
      contentMode: 'buffer',
      maxLength: MOST_HELD,
      retryEAGAIN: () => false,
    });
    this.#out.on('error', (error: Error) => this.#failed(error));
    this.#out.on('drop', () => {
      this.#lost += this.#lines;
    });
  }

  /** Writes `bytes`, which hold `lines` lines and must not be changed afterwards. */
  write(bytes: Uint8Array, lines: number): void {
    if (this.#failing) {
      this.#lost += lines;
      return;
    }
    this.#lines = lines;
    this.#out.write(bytes);
  }

  /** Tries a last time what is held; what then cannot be written is given up. */
  close(): void {
    if (this.#failing) this.#again();
    clearTimeout(this.#timer);
  }

  #failed(error: Error): void {
    this.#failing = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#again(), errorCode(error) === 'EAGAIN' ? RETRY_BUSY : RETRY).unref();
    this.#tell(error);
  }

  #again(): void {
    this.#failing = false;
    this.#lines = 0;
    this.#out.write(NOTHING);
    if (!this.#failing && this.#lost > 0) this.#tell(undefined);
  }

  #tell(error: Error | undefined): void {
    const lost = this.#lost;
    this.#lost = 0;
    this.#trouble(error, lost);
  }
}
