/**
 * Sending over a channel (HTTP/2): the body goes in frames, as far as the peer's windows and the socket let it, and
 * goes on while the reply is passed to the client.
 */
import { streamBody } from '../http/read-body.ts';
import type { Connection } from '../net/connection.ts';
import { awaitReply, BodySender } from './body-sender.ts';
import type { Channel } from './contract.ts';
import { AWAITING, PASSING } from './states.ts';
import type { Upstream } from './upstream.ts';

/** Sends the request over an established connection. */
export const sendFramed = (u: Upstream, connection: Connection, channel: Channel): void => {
  const hasBody = u.hasBody || u.substitute !== '';
  const head = channel.open(u.text, !hasBody);
  if (!hasBody) {
    u.bodySent = connection.writeText(head);
    awaitReply(u, connection);
    return;
  }
  const sender = new FramedSender(u, connection, channel, head);
  u.framed = sender;
  if (u.streamed) streamBody(u.request, u);
  sender.goOn();
};

export class FramedSender {
  readonly #u: Upstream;
  readonly #connection: Connection;
  readonly #channel: Channel;
  /** What leaves before the next bytes of the body, together with them. */
  #before: string;
  /** A body that has been read; undefined: pieces come from the client. */
  readonly #source: BodySender | undefined;
  /** What is being sent, and how far it is. */
  #piece: Uint8Array | undefined = undefined;
  #at = 0;
  /** Nothing comes behind it; the end has been sent. */
  #last = false;
  #over = false;

  constructor(u: Upstream, connection: Connection, channel: Channel, head: string) {
    this.#u = u;
    this.#connection = connection;
    this.#channel = channel;
    this.#before = head;
    this.#source = u.streamed || u.substitute !== '' ? undefined : new BodySender(u.request);
    if (u.substitute === '') return;
    this.#piece = Buffer.from(u.substitute, 'latin1');
    this.#last = true;
  }

  /** A piece of a streamed body; only there during the call. */
  take(bytes: Uint8Array): void {
    if (!this.#sends) return;
    const waiting = this.#piece;
    this.#piece = waiting ? Buffer.concat([waiting.subarray(this.#at), bytes]) : bytes;
    this.#at = 0;
    this.goOn();
    if (waiting || !this.#piece) return;
    // What has to wait outlives the call.
    this.#piece = Buffer.from(this.#piece.subarray(this.#at));
    this.#at = 0;
  }

  /** A streamed body has come to its end. */
  end(): void {
    this.#last = true;
    this.goOn();
  }

  get #sends(): boolean {
    const { connection, phase } = this.#u;
    return connection === this.#connection && (phase === AWAITING || phase === PASSING);
  }

  /** Sends what can be sent: there is room again, or something to send. */
  goOn(): void {
    const connection = this.#connection;
    if (this.#over || !this.#sends || connection.blocked) return;
    let go = true;
    for (; go; ) {
      const piece = this.#next();
      if (!piece) break;
      const room = this.#channel.room;
      if (room === 0) break;
      const part = piece.subarray(this.#at, this.#at + room);
      this.#at += part.length;
      if (this.#at >= piece.length) this.#piece = undefined;
      this.#over = this.#last && !this.#piece;
      go = connection.writeCopy(this.#before + this.#channel.dataHead(part.length, this.#over), part);
      this.#before = '';
      if (this.#over) break;
    }
    if (this.#last && !this.#piece && !this.#over) {
      this.#over = true;
      this.#before += this.#channel.dataHead(0, true);
    }
    if (this.#before !== '') {
      go = connection.writeText(this.#before);
      this.#before = '';
    }
    this.#rest(go);
  }

  /** The piece that is being sent, or the next one of a body that has been read. */
  #next(): Uint8Array | undefined {
    if (this.#piece || !this.#source) return this.#piece;
    this.#piece = this.#source.next();
    this.#at = 0;
    this.#last = this.#source.last;
    return this.#piece;
  }

  /** Nothing more can be sent for now: who is waited for, and how long. */
  #rest(go: boolean): void {
    const u = this.#u;
    const connection = this.#connection;
    const awaiting = u.phase === AWAITING;
    if (this.#over) {
      u.bodySent = go;
      if (awaiting) awaitReply(u, connection);
      return;
    }
    const stuck = !go || this.#piece !== undefined;
    if (awaiting) {
      if (stuck) connection.timer.start(u.conf.sendTimeout, u.now);
      else connection.timer.stop();
    }
    if (!u.streamed || stuck === u.streamPaused) return;
    u.streamPaused = stuck;
    if (stuck) u.request.stream.pauseBody();
    else u.request.stream.resumeBody();
  }

  /** The system has taken all that was written. */
  sent(): void {
    if (!this.#sends) return;
    if (!this.#over) {
      this.goOn();
      return;
    }
    this.#u.bodySent = true;
    if (this.#u.phase === AWAITING) awaitReply(this.#u, this.#connection);
  }
}
