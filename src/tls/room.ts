/** The memory through which all TLS connections of the process read and write, one after the other. */
import { READ_SIZE } from '../net/connection.ts';
import { addressOf, BIO_PENDING, BIO_RESET, type OpenSsl, openssl } from './openssl.ts';

/** TLS records hold no more. */
export const LARGEST_RECORD = 16384;

/** So many memories wait to be used again. */
const MOST_IDLE = 64;
/** One that has held more is not kept. */
const LARGEST_KEPT = 32768;

export class Room {
  readonly ssl: OpenSsl = openssl();
  /** What comes from sockets, for OpenSSL; empty between two reads. */
  readonly input: number = this.ssl.BIO_new(this.ssl.BIO_s_mem());
  /** Never holds anything: what a handshake that we begin reads at first. */
  readonly nothing: number = this.ssl.BIO_new(this.ssl.BIO_s_mem());
  /** Decrypted bytes: those of one read, and of the record that it completes. */
  readonly plain: Buffer = Buffer.allocUnsafeSlow(READ_SIZE + LARGEST_RECORD);
  readonly plainAt: number = addressOf(this.plain);
  /** Text to be encrypted. */
  readonly text: Buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  readonly textAt: number = addressOf(this.text);
  /** For numbers that OpenSSL gives. */
  readonly count: Buffer = Buffer.allocUnsafeSlow(READ_SIZE).subarray(0, 8);
  readonly countAt: number = addressOf(this.count);
  /** The buffer that sockets read into, once seen, and where it is. */
  #shared: Buffer | undefined = undefined;
  #sharedAt = 0;
  readonly #memoryMethod = this.ssl.BIO_s_mem();
  /** Empty memories that connections have written to before. */
  readonly #idle: number[] = [];

  /** Gives OpenSSL what a socket has read. */
  feed(bytes: Buffer, length: number): void {
    if (bytes === this.#shared) {
      this.ssl.BIO_write(this.input, this.#sharedAt, length);
      return;
    }
    this.ssl.BIO_write_bytes(this.input, bytes, length);
    if (bytes.length !== READ_SIZE) return;
    this.#shared = bytes;
    this.#sharedAt = addressOf(bytes);
  }

  /** OpenSSL has taken all that was fed. */
  get drained(): boolean {
    return this.ssl.BIO_ctrl(this.input, BIO_PENDING, 0, 0) === 0;
  }

  /** Memory for a connection to write to. It is counted twice: once for the connection, once for `giveBack`. */
  memory(): number {
    const { ssl } = this;
    const memory = this.#idle.pop() ?? ssl.BIO_new(this.#memoryMethod);
    ssl.BIO_up_ref(memory);
    return memory;
  }

  /** Takes memory back that no connection refers to any more; it has held `most` bytes. */
  giveBack(memory: number, most: number): void {
    const { ssl } = this;
    if (most > LARGEST_KEPT || this.#idle.length >= MOST_IDLE) {
      ssl.BIO_free(memory);
      return;
    }
    // Nothing of one connection may be sent to another.
    ssl.BIO_ctrl(memory, BIO_RESET, 0, 0);
    this.#idle.push(memory);
  }

  /** Drops what OpenSSL has not read: nothing may stay behind for the next connection. */
  drop(): void {
    this.ssl.BIO_ctrl(this.input, BIO_RESET, 0, 0);
  }
}

let room: Room | undefined;

/** The one of this process. */
export const roomOf = (): Room => (room ??= new Room());
