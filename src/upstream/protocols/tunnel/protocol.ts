/** CONNECT: what the peer is told and what it answers is the client's business; its connection is all that is asked for. */
import type { Protocol, Reply } from '../../contract.ts';
import { ReplyHead } from '../../reply-head.ts';
import type { Upstream } from '../../upstream.ts';

const GRANTED = new ReplyHead();
GRANTED.status = 200;
GRANTED.statusLine = '200 OK';
GRANTED.upgrade = true;

/** Of the first connection that stands: its head is ours. */
class Grant implements Reply {
  readonly behindHead = 0;

  constructor(readonly upstream: Upstream) {}

  feed(): void {
    this.upstream.head = GRANTED;
    this.upstream.onReplyHead();
  }

  end(): void {}
}

export class TunnelProtocol implements Protocol {
  readonly scheme = '';
  readonly plainBody = true;
  readonly unasked = true;
  readonly rewriteRedirect = undefined;
  readonly rewriteCookie = undefined;

  uri(): string {
    return '';
  }

  head(): string {
    return '';
  }

  bodyPiece(): readonly Uint8Array[] {
    return [];
  }

  reply(_request: unknown, upstream: Upstream): Grant {
    return new Grant(upstream);
  }
}
