/**
 * The writing half of a TLS connection. OpenSSL writes to the socket's descriptor itself. What the system does not
 * take at once is encrypted into memory and queued on the socket, until that is empty again.
 */
import type { Connection } from '../net/connection.ts';
import { copyOf, pointerIn } from './openssl.ts';
import type { Room } from './room.ts';

const CTRL_RESET = 1;
const CTRL_INFO = 3;
/** What SSL_get_error says when there is no room. */
export const WANT_WRITE = 3;

export class TlsOutput {
  /** Writes go through memory: the socket has something queued. */
  #queueing = false;

  constructor(
    readonly connection: Connection,
    readonly room: Room,
    readonly ssl: number,
  ) {
    this.#toSocket();
  }

  #toSocket(): void {
    const { ssl } = this.room;
    this.#queueing = false;
    ssl.SSL_set0_wbio(this.ssl, ssl.BIO_new_socket(this.connection.descriptor, 0));
  }

  /** From now on OpenSSL writes to memory: the call that wanted to write can be made again. */
  spill(): void {
    if (this.#queueing) throw new Error('memory is never full');
    const { ssl, output } = this.room;
    this.#queueing = true;
    ssl.BIO_up_ref(output);
    ssl.SSL_set0_wbio(this.ssl, output);
  }

  /** Before a write: straight to the socket again, once that has sent what it had. */
  ready(): void {
    if (this.#queueing && this.connection.socket.writableLength === 0) this.#toSocket();
  }

  /**
   * Encrypts and sends; OpenSSL has taken it all when this is over. 0, or what SSL_get_error says. `source`: where
   * the bytes are, or the bytes.
   */
  write(source: number | Uint8Array, length: number): number {
    const { ssl } = this.room;
    this.ready();
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

  /** As `write`, while the client's early data is being read. */
  writeEarly(source: number | Uint8Array, length: number): number {
    const { ssl, count } = this.room;
    this.ready();
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

  /** Queues on the socket what OpenSSL has written to memory. False: more is queued than is good. */
  flush(): boolean {
    if (!this.#queueing) return true;
    const { ssl, output, count } = this.room;
    const { connection } = this;
    const length = ssl.BIO_ctrl_bytes(output, CTRL_INFO, 0, count);
    if (length <= 0) return !connection.blocked;
    const bytes = copyOf(pointerIn(count), length);
    ssl.BIO_ctrl(output, CTRL_RESET, 0, 0);
    if (connection.socket.write(bytes)) return true;
    connection.blocked = true;
    return false;
  }
}
