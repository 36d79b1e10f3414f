/**
 * The writing half of a TLS connection. OpenSSL writes to the socket's descriptor itself. What the system does not
 * take at once is encrypted into memory and queued on the socket, until that is empty again. What belongs to a
 * handshake, up to a reply that ends with it, gathers in memory and leaves in one call.
 */
import type { Connection } from '../net/connection.ts';
import { writeMemory } from '../platform/write-memory.ts';
import { WANT_WRITE } from './errors.ts';
import { BIO_INFO, BIO_RESET, copyOf, pointerIn } from './openssl.ts';
import type { Room } from './room.ts';

/** More than this is not held back. */
const MOST_HELD = 65536;

export class TlsOutput {
  /** Writes go to this memory of the library's; 0: to the socket. */
  #memory = 0;
  /** The most that has been found in it, bytes. */
  #most = 0;
  /** Plain bytes written since it was empty. */
  #put = 0;
  /** What is in memory stays there for now. */
  held = false;

  constructor(
    readonly connection: Connection,
    readonly room: Room,
    readonly ssl: number,
  ) {
    this.spill();
  }

  #toSocket(): void {
    const { ssl } = this.room;
    ssl.SSL_set0_wbio(this.ssl, ssl.BIO_new_socket(this.connection.descriptor, 0));
    this.close();
  }

  /** OpenSSL refers to the memory no more. */
  close(): void {
    if (this.#memory === 0) return;
    this.room.giveBack(this.#memory, this.#most);
    this.#memory = 0;
    this.#most = 0;
  }

  /** From now on OpenSSL writes to memory: the call that wanted to write can be made again. */
  spill(): void {
    if (this.#memory !== 0) throw new Error('memory is never full');
    const { room } = this;
    this.#memory = room.memory();
    this.#put = 0;
    room.ssl.SSL_set0_wbio(this.ssl, this.#memory);
  }

  /** Before a write: straight to the socket again, once that has sent what it had. */
  ready(): void {
    if (this.#memory !== 0 && !this.held && this.connection.socket.queued === 0) this.#toSocket();
  }

  /**
   * Encrypts and sends; OpenSSL has taken it all when this is over. 0, or what SSL_get_error says. `source`: where
   * the bytes are, or the bytes.
   */
  write(source: number | Uint8Array, length: number): number {
    const { ssl } = this.room;
    this.ready();
    this.#put += length;
    for (;;) {
      const put =
        typeof source === 'number'
          ? ssl.SSL_write(this.ssl, source, length)
          : ssl.SSL_write_bytes(this.ssl, source, length);
      if (put > 0) return 0;
      const error = ssl.SSL_get_error(this.ssl, put);
      if (error !== WANT_WRITE) return error;
      this.spill();
    }
  }

  /** As `write`, to a client that has sent early data and has not finished the handshake. */
  writeEarly(source: number | Uint8Array, length: number): number {
    const { ssl, count } = this.room;
    this.ready();
    this.#put += length;
    for (;;) {
      const put =
        typeof source === 'number'
          ? ssl.SSL_write_early_data(this.ssl, source, length, count)
          : ssl.SSL_write_early_data_bytes(this.ssl, source, length, count);
      if (put === 1) return 0;
      const error = ssl.SSL_get_error(this.ssl, 0);
      if (error !== WANT_WRITE) return error;
      this.spill();
    }
  }

  /** Gathers all that is written, until `letGo`. */
  hold(): void {
    if (this.#memory === 0) this.spill();
    this.held = true;
  }

  /** Sends what has gathered. */
  letGo(): boolean {
    this.held = false;
    return this.flush();
  }

  /** Sends what OpenSSL has written to memory. False: more is queued than is good. */
  flush(): boolean {
    const { connection, room } = this;
    if (this.#memory === 0 || connection.closed) return !connection.blocked;
    if (this.held && this.#put < MOST_HELD) return !connection.blocked;
    const { ssl, count, countAt } = room;
    this.held = false;
    this.#put = 0;
    const length = ssl.BIO_ctrl(this.#memory, BIO_INFO, 0, countAt);
    if (length <= 0) return !connection.blocked;
    if (length > this.#most) this.#most = length;
    const at = pointerIn(count);
    const { descriptor, socket } = connection;
    const taken =
      socket.queued === 0 && descriptor >= 0 ? Math.max(0, writeMemory(descriptor, at, length)) : 0;
    const rest = taken < length ? copyOf(at + taken, length - taken) : undefined;
    ssl.BIO_ctrl(this.#memory, BIO_RESET, 0, 0);
    if (!rest || socket.writeBytes(rest)) return true;
    connection.blocked = true;
    return false;
  }
}
