/** `sticky`: a client stays with the peer that it once got, as long as that can be used; around any balancer. */
import type { Request } from '../http/request.ts';
import type { VariableRef } from '../http/variables.ts';
import { PEER_OK, type PeerSource } from './contract.ts';
import type { Balance, Sources } from './group.ts';
import type { GroupPeer } from './peers.ts';
import type { RoundRobinSource } from './round-robin.ts';
import type { StickySessions } from './sticky-sessions.ts';

export interface Sticky {
  /** The first of these that is not empty says who the client is, or without sessions which peer it wants. */
  readonly lookup: readonly VariableRef[];
  /** Which peer each client has got (`learn`). */
  readonly sessions: StickySessions | undefined;
  /** The first of these that is not empty begins a session. */
  readonly create: readonly VariableRef[];
  /** A session begins with the head of a reply, not with its end. */
  readonly early: boolean;
  /** The cookie that tells the client which peer it has; undefined when there is none. */
  readonly cookie: ((request: Request, sid: string) => string) | undefined;
}

const firstOf = (variables: readonly VariableRef[], request: Request): string => {
  for (let i = 0; i < variables.length; i++) {
    const value = variables[i]?.get(request);
    if (value !== undefined && value !== '') return value;
  }
  return '';
};

class StickySource implements PeerSource {
  readonly #id: string;
  /** Where the cookie stands among the lines of the reply; -1 while there is none. */
  #line = -1;

  constructor(
    private readonly request: Request,
    private readonly inner: RoundRobinSource,
    private readonly sticky: Sticky,
  ) {
    this.#id = firstOf(sticky.lookup, request);
  }

  get tries(): number {
    return this.inner.tries;
  }

  set tries(tries: number) {
    this.inner.tries = tries;
  }

  pick(): GroupPeer | undefined {
    const { inner } = this;
    const { sessions, cookie } = this.sticky;
    inner.hint = sessions && this.#id !== '' ? sessions.find(this.#id) : this.#id;
    const peer = inner.pick();
    if (peer && cookie) this.#setCookie(cookie(this.request, peer.sid));
    return peer;
  }

  onHead(peer: GroupPeer): void {
    if (this.sticky.early) this.#learn(peer);
    this.inner.onHead(peer);
  }

  release(peer: GroupPeer, state: number): void {
    if (state === PEER_OK && !this.sticky.early) this.#learn(peer);
    this.inner.release(peer, state);
  }

  #setCookie(cookie: string): void {
    const { lines } = this.request.out;
    if (this.#line < 0) {
      this.#line = lines.length + 1;
      lines.push('Set-Cookie', cookie);
    } else {
      lines[this.#line] = cookie;
    }
  }

  #learn({ sid }: GroupPeer): void {
    const { sessions, create } = this.sticky;
    if (!sessions) return;
    const made = firstOf(create, this.request);
    if (made !== '') sessions.put(made, sid, true);
    else if (this.#id !== '') sessions.put(this.#id, sid, false);
  }
}

/** What `sticky` makes of a balancing method. */
export const stickyAround =
  (sticky: Sticky) =>
  (balance: Balance): Sources =>
  (request, primary, backup) =>
    new StickySource(request, balance(request, primary, backup), sticky);
