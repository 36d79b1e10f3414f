/**
 * One request's exchange with the servers of a group: choosing a peer, connecting or taking a pooled
 * connection, sending, reading, trying the next one, and passing the reply to the client. nginx's
 * ngx_http_upstream_t. Protocol-free: what is sent and where a reply ends is the Protocol's to say.
 */
import type { Request } from '../http/request.ts';
import type { PeerGroup, Protocol, UpstreamConf } from './contract.ts';
import { ReplyHead } from './contract.ts';

export class Upstream {
  readonly head: ReplyHead = new ReplyHead();

  constructor(
    readonly request: Request,
    readonly conf: UpstreamConf,
    readonly protocol: Protocol,
    readonly group: PeerGroup,
  ) {}
}
