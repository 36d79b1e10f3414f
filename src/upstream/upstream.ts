/**
 * One request's exchange with the servers of a group: choosing a peer, connecting or taking a pooled
 * connection, sending, reading, trying the next one, and passing the reply to the client. nginx's
 * ngx_http_upstream_t. Protocol-free: what is sent and where a reply ends is the Protocol's to say.
 */
import type { BodyConsumer } from '../http/body.ts';
import type { Producer } from '../http/output.ts';
import type { Request } from '../http/request.ts';
import { DONE, type Verdict } from '../http/verdict.ts';
import type { Connection, ConnectionHandler } from '../net/connection.ts';
import type { Timer } from '../net/timers.ts';
import type { PeerGroup, Protocol, UpstreamConf } from './contract.ts';
import { LINE_INVALID, ReplyHead } from './reply-head.ts';

/**
 * Passes `request` on to the servers of `group`: reads (or begins to stream) its body, then connects. `conf` is
 * the identity under which `keepalive N local` keeps its connections.
 */
export const startUpstream = (
  request: Request,
  conf: UpstreamConf,
  protocol: Protocol,
  group: PeerGroup,
): Verdict => {
  const upstream = new Upstream(request, conf, protocol, group);
  request.upstream = upstream;
  request.producer = upstream;
  return DONE;
};

export class Upstream implements ConnectionHandler, Producer, BodyConsumer {
  /** The head of the present attempt's reply. */
  readonly head: ReplyHead = new ReplyHead();
  /**
   * The connection may be kept although the reply is not read further: a protocol sets it before
   * `onReplyHead` when the reply has no body and nothing forbids to keep it.
   */
  keep = false;
  /** A request body is sent to the peer. */
  hasBody = false;
  /** Its length; -1: not known beforehand (a streamed chunked upload). */
  bodyLength = 0;
  /** The body is passed on as it comes (`proxy_request_buffering off`). */
  streamed = false;

  constructor(
    readonly request: Request,
    readonly conf: UpstreamConf,
    readonly protocol: Protocol,
    readonly group: PeerGroup,
  ) {}

  /** Takes a line of the reply's head. False: it is invalid, and that has been dealt with. */
  addLine(name: string, value: string): boolean {
    return this.head.add(name, value) !== LINE_INVALID;
  }

  /** An interim reply (1xx except 101): `lines` are name, value, name, value ... */
  onInterim(_status: number, _lines: readonly string[]): boolean {
    return true;
  }

  /** The head is complete and stands in `head`. */
  onReplyHead(): boolean {
    return true;
  }

  /** A piece of the body, decoded; only there during the call. */
  onReplyBody(_bytes: Uint8Array): boolean {
    return true;
  }

  /** The reply is complete. `keep`: nothing in it forbids another request on its connection. */
  onReplyEnd(_keep: boolean): void {}

  /** What came is not a reply; `message` is the whole of nginx's line: `upstream sent no valid HTTP/1.0 header`. */
  onReplyInvalid(_message: string): boolean {
    return false;
  }

  /** Logs a line about the peer's reply at `level`, with the context. */
  log(_level: number, _message: string): void {}

  onRead(_bytes: Buffer, _length: number): void {}
  onEnd(): void {}
  onDrain(): void {}
  onClose(): void {}
  onConnect(): void {}
  onTimeout(_timer: Timer): void {}
  resumeOutput(_request: Request): void {}
  abortOutput(_request: Request): void {}
  bodyPiece(_request: Request, _bytes: Uint8Array): void {}
  bodyEnd(_request: Request): void {}

  /** The connection of the present attempt. */
  connection: Connection | undefined = undefined;
}
