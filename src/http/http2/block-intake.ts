/** Header blocks: the head of the stream that they begin, or the trailers of one; of refused streams for the table's sake only. */
import { DEBUG, INFO } from '../../log/levels.ts';
import { finalize } from '../finalize.ts';
import { runPhases } from '../phases.ts';
import type { Request } from '../request.ts';
import { logHead, logOf, logRequest } from '../request-log.ts';
import { othersOnly, refusedByTls } from '../verify-client.ts';
import type { Field } from './field.ts';
import { type FieldSink, HpackDecoder } from './hpack-decoder.ts';
import { MISDIRECTED, RequestHead, type ServerChoice } from './request-head.ts';
import type { Session } from './session.ts';
import type { Http2Stream } from './stream.ts';

const NOTHING = Buffer.alloc(0);

export class BlockIntake implements FieldSink, ServerChoice {
  /** Whose head is being read; undefined where it is nobody's. */
  stream: Http2Stream | undefined = undefined;
  readonly #decoder: HpackDecoder;
  readonly #head = new RequestHead(this);
  /** Whose body ends with the trailers that are being read. */
  #trailed: Http2Stream | undefined = undefined;
  /** The beginning of a field that is not whole yet. */
  #partial: Buffer | undefined = undefined;

  constructor(readonly session: Session) {
    const { count, size } = session.server.location.core.headerBuffers;
    this.#decoder = new HpackDecoder(size, size * count);
  }

  /** Another block begins: nobody's, until `headOf` or `trailersOf` says whose. */
  begin(): void {
    this.#decoder.begin();
    this.stream = undefined;
    this.#trailed = undefined;
  }

  headOf(stream: Http2Stream): void {
    this.stream = stream;
    this.#head.begin();
  }

  trailersOf(stream: Http2Stream): void {
    this.#trailed = stream;
  }

  /** A stream has ended: the rest of its block is nobody's. */
  removed(stream: Http2Stream): void {
    if (this.stream === stream) this.stream = undefined;
    if (this.#trailed === stream) this.#trailed = undefined;
  }

  /** Bytes of the block; `last`: it ends at `end`. False: the connection has been ended. */
  read(bytes: Buffer, start: number, end: number, last: boolean): boolean {
    let block = bytes;
    let from = start;
    let to = end;
    if (this.#partial) {
      block = Buffer.concat([this.#partial, bytes.subarray(start, end)]);
      from = 0;
      to = block.length;
      this.#partial = undefined;
    }
    const stop = this.#decoder.decode(block, from, to, last, this);
    if (stop < 0) return this.session.fail(this.#decoder.code, this.#decoder.reason);
    if (stop < to) this.#partial = Buffer.from(block.subarray(stop, to));
    if (last) this.#end();
    return this.session.open;
  }

  field(field: Field): void {
    const { stream } = this;
    if (!stream) return;
    this.#head.take(stream.request, field);
    if (this.#head.status !== 0) this.#refuse(stream);
  }

  /** Its head is wrong: it is answered at once, and the rest of the block is read for the table's sake. */
  #refuse(stream: Http2Stream): void {
    const { request } = stream;
    this.stream = undefined;
    stream.headRead();
    logRequest(request, INFO, this.#head.reason);
    finalize(request, this.#head.status);
  }

  #end(): void {
    const trailed = this.#trailed;
    this.#trailed = undefined;
    if (trailed) {
      trailed.data(NOTHING, 0, 0, true);
      return;
    }
    const { stream } = this;
    this.stream = undefined;
    if (!stream) return;
    const { request } = stream;
    if (this.#head.end(request, stream.inClosed) !== 0) {
      this.#refuse(stream);
      return;
    }
    stream.headRead();
    this.session.guard.payload += request.requestLength;
    if (logOf(request).level >= DEBUG) logHead(request);
    const { tls } = this.session.client;
    if (tls && refusedByTls(request, tls)) return;
    runPhases(request);
  }

  chooseServer(request: Request, host: string): number {
    const { address, sniHost } = this.session.client;
    const { names } = address;
    const server = names.single ? request.server : names.find(host, request);
    if (othersOnly(server, sniHost, host)) return MISDIRECTED;
    request.server = server;
    request.location = server.location;
    return 0;
  }

  allowed({ server }: Request): boolean {
    return server.http2 || this.session.client.address.http2;
  }
}
