/** One of the two connections of a proxied session: what has come on it, and how fast it is taken. */
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import { Timer, type TimerOwner } from '../../net/timers.ts';
import { errorText } from '../../platform/errno.ts';
import { TlsStream } from '../../tls/stream.ts';

/** What a side tells. */
export interface SideOwner {
  onBytes(side: Side, bytes: Buffer, length: number): void;
  /** The last byte has come. */
  onSideEnd(side: Side): void;
  /** There is room for more on it. */
  onRoom(side: Side): void;
  onGone(side: Side): void;
  onConnected(): void;
  /** The pause that its rate made is over. */
  onPauseOver(side: Side): void;
  invalid(level: number, message: string): void;
  log(level: number, message: string): void;
}

/** Why a connection broke. */
export interface Trouble {
  readonly text: string;
  /** undefined: as loud as its side is. */
  readonly level: number | undefined;
  readonly reading: boolean;
}

export class Side implements ConnectionHandler, TimerOwner {
  connection: Connection | undefined = undefined;
  /** Bytes that were taken from it. */
  received = 0;
  /** Bytes that have come and wait to be taken. */
  held: Buffer[] = [];
  heldLength = 0;
  /** The last byte has come; and it has been taken. */
  finished = false;
  ended = false;
  /** Bytes a second that are taken; 0 for no limit. */
  rate = 0;
  /** Nothing is taken for a while. */
  delayed = false;
  #pause: Timer | undefined = undefined;

  constructor(readonly owner: SideOwner) {}

  /** Bytes that the system has taken for it. */
  get sent(): number {
    const { connection } = this;
    return connection ? connection.sent - connection.unsent : 0;
  }

  /** Something that was written to it waits. */
  get busy(): boolean {
    const { connection } = this;
    return connection !== undefined && !connection.closed && connection.queued > 0;
  }

  /** Why it broke; undefined when it just ended. */
  get trouble(): Trouble | undefined {
    const { connection } = this;
    if (connection instanceof TlsStream && connection.failure) {
      const { text, level } = connection.failure;
      return { text, level, reading: !text.startsWith('SSL_write()') };
    }
    const error = connection?.error;
    if (!error) return undefined;
    const reading = error.syscall === 'read';
    // OpenSSL takes that for an end, and so does nginx.
    if (reading && connection instanceof TlsStream) return undefined;
    const text = `${reading ? 'recv()' : 'writev()'} failed (${errorText(error)})`;
    return { text, level: undefined, reading };
  }

  hold(bytes: Buffer): void {
    this.held.push(bytes);
    this.heldLength += bytes.length;
  }

  /** Takes up to `most` bytes that are contiguous. */
  take(most: number): Buffer | undefined {
    const first = this.held[0];
    if (!first) return undefined;
    const piece = first.length <= most ? first : first.subarray(0, most);
    if (piece === first) this.held.shift();
    else this.held[0] = first.subarray(most);
    this.heldLength -= piece.length;
    return piece;
  }

  delay(ms: number): void {
    this.delayed = true;
    this.#pause ??= new Timer(this);
    this.#pause.start(ms);
  }

  /** Nothing more is taken. */
  stop(): void {
    this.#pause?.remove();
  }

  /** It is of no more interest. */
  leave(): void {
    this.stop();
    this.connection?.destroy();
  }

  onTimer(): void {
    this.delayed = false;
    this.owner.onPauseOver(this);
  }

  onRead(bytes: Buffer, length: number): void {
    this.owner.onBytes(this, bytes, length);
  }

  onEnd(): void {
    this.owner.onSideEnd(this);
  }

  onDrain(): void {
    this.owner.onRoom(this);
  }

  onClose(): void {
    this.owner.onGone(this);
  }

  onConnect(): void {
    this.owner.onConnected();
  }

  onTimeout(): void {}

  invalid(level: number, message: string): void {
    this.owner.invalid(level, message);
  }

  log(level: number, message: string): void {
    this.owner.log(level, message);
  }
}
