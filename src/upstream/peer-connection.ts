/** A connection to a peer over all the requests it carries, and its own watchman while it is parked. */
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Peer } from './contract.ts';

/** Where parked connections are kept; told when one can't be used any more. */
export interface Parking {
  remove(connection: PeerConnection): void;
}

export class PeerConnection implements ConnectionHandler {
  /** Requests it has carried, the present one included. */
  requests = 0;
  /** When it was parked last, on the clock of `monotonic`; 0 while never. */
  parkedAt = 0;
  /** How long it had been parked when it was taken for the present request, ms; -1: it is new. */
  idle = -1;
  /** Milliseconds after which the peer said it closes idle connections; -1 when it said nothing. */
  peerTimeout = -1;
  /** What its protocol keeps of it from one request to the next. */
  link: object | undefined = undefined;
  /** The configuration it was parked under. */
  tag: object | undefined = undefined;
  /** Where it is parked; undefined while in use. */
  parking: Parking | undefined = undefined;
  /** Its neighbours in the pool, from the most to the least recently used. */
  newer: PeerConnection | undefined = undefined;
  older: PeerConnection | undefined = undefined;

  constructor(
    /** Changed when it is turned to TLS. */
    public connection: Connection,
    readonly peer: Peer,
  ) {}

  /** Nothing has come from the peer and nothing hides what may have. */
  get silent(): boolean {
    const { connection } = this;
    return !connection.closed && !connection.ended && !connection.paused && !connection.socket.destroyed;
  }

  /** Gives it to a parking for at most `timeout` ms from `now`. */
  park(parking: Parking, tag: object, timeout: number, now: number): void {
    this.parking = parking;
    this.tag = tag;
    this.parkedAt = now;
    this.connection.handler = this;
    this.connection.timer.start(timeout, now);
    this.connection.resume();
  }

  /** Takes it into use again, out of its parking. The caller becomes its handler, and notes `idle`. */
  unpark(): void {
    this.parking = undefined;
    this.tag = undefined;
    this.connection.timer.stop();
  }

  /**
   * Leaves it to the peer to close it first, for at most `timeout` ms from `now`: the socket that lingers in TIME_WAIT
   * is the peer's then, and costs none of our ports. Nobody is told.
   */
  awaitClose(timeout: number, now: number): void {
    const { connection } = this;
    if (!this.silent) {
      this.discard();
      return;
    }
    connection.handler = this;
    connection.timer.start(timeout, now);
  }

  /** Closes it; nobody is told. */
  discard(): void {
    this.parking = undefined;
    this.connection.handler = nobody;
    if (!this.connection.closed) this.connection.destroy();
  }

  /** Nothing is expected of it but its end. */
  #over(): void {
    if (this.parking) this.parking.remove(this);
    else this.discard();
  }

  onRead(): void {
    this.#over();
  }
  onEnd(): void {
    this.#over();
  }
  onClose(): void {
    this.#over();
  }
  onTimeout(): void {
    this.#over();
  }
  onDrain(): void {}
  onConnect(): void {}
}

const nothing = (): void => {};
/** The handler of a connection that is done with. */
const nobody: ConnectionHandler = {
  onRead: nothing,
  onEnd: nothing,
  onDrain: nothing,
  onClose: nothing,
  onConnect: nothing,
  onTimeout: nothing,
};
