/** The peers that one session is passed to, tried one after the other, and what each attempt came to. */
import { ERROR } from '../../log/levels.ts';
import { type Lookup, type LookupOwner, lookupError } from '../../net/lookup.ts';
import { monotonic } from '../../net/timers.ts';
import type { Peer, PeerGroup, PeerSource } from '../../upstream/contract.ts';
import { NameGroup } from '../../upstream/name-group.ts';
import type { Session, SessionAttempt } from '../session.ts';
import type { ProxyConf } from './conf.ts';

/** One attempt at one peer. */
export class Attempt implements SessionAttempt {
  peer = '';
  connectTime = -1;
  firstByteTime = -1;
  responseTime = -1;
  received = 0;
  sent = 0;

  /** For balancers that learn how quick a peer is. */
  get headerTime(): number {
    return this.firstByteTime;
  }
}

/** Who passes the session on. */
export interface AttemptsOwner {
  readonly session: Session;
  readonly conf: ProxyConf;
  /** There is something to choose from: the first attempt may begin. */
  connect(): void;
  /** There is nothing to choose from. */
  refuse(): void;
}

export class Attempts implements LookupOwner {
  readonly list: Attempt[] = [];
  current: Attempt = new Attempt();
  /** Of the current attempt, until it is released. */
  peer: Peer | undefined = undefined;
  #group: PeerGroup<Session> | undefined = undefined;
  #source: PeerSource | undefined = undefined;
  #lookup: Lookup | undefined = undefined;
  /** When the first attempt began, and the current one. */
  #first = 0;
  #begun = 0;
  #over = false;

  constructor(readonly owner: AttemptsOwner) {}

  get groupName(): string {
    return this.#group?.name ?? '';
  }

  /** Asks a group for its peers; the owner's `connect` or `refuse` follows, now or later. */
  start(group: PeerGroup<Session>): void {
    this.#group = group;
    const source = group.source(this.owner.session);
    if (source) this.#choose(source);
    else if (group instanceof NameGroup) this.#resolve(group);
    else throw new Error(`upstream "${group.name}" has nothing to choose from`);
  }

  #resolve(group: NameGroup): void {
    const lookup = group.lookup(this);
    if (!lookup.over) this.#lookup = lookup;
  }

  onResolved({ name, code, addresses }: Lookup): void {
    this.#lookup = undefined;
    if (this.#over) return;
    const { session } = this.owner;
    if (code !== 0) {
      session.log(ERROR, `${name} could not be resolved (${code}: ${lookupError(code)})`);
      this.owner.refuse();
      return;
    }
    const group = this.#group;
    if (group instanceof NameGroup) group.found(addresses);
    const source = group?.source(session);
    if (source) this.#choose(source);
    else this.owner.refuse();
  }

  #choose(source: PeerSource): void {
    const { proxy_next_upstream_tries: tries } = this.owner.conf;
    this.#source = source;
    this.#first = monotonic();
    if (tries > 0 && source.tries > tries) source.tries = tries;
    this.owner.connect();
  }

  /** Begins an attempt. Undefined: no peer is alive, which has been logged. */
  open(): Peer | undefined {
    const now = monotonic();
    if (this.list.length > 0) this.current.responseTime = now - this.#begun;
    const attempt = new Attempt();
    this.list.push(attempt);
    this.current = attempt;
    this.#begun = now;
    const peer = this.#source?.pick();
    attempt.peer = peer?.name ?? this.groupName;
    this.peer = peer;
    if (!peer) this.owner.session.log(ERROR, 'no live upstreams');
    return peer;
  }

  /** The current peer is connected. */
  connected(): void {
    this.current.connectTime = monotonic() - this.#begun;
    if (this.peer) this.#source?.onConnect?.(this.peer);
  }

  /** Something has come from the current peer. */
  answered(): void {
    if (this.current.firstByteTime >= 0) return;
    this.current.firstByteTime = monotonic() - this.#begun;
    if (this.peer) this.#source?.onHead(this.peer);
  }

  /** Whether another peer may be tried (`proxy_next_upstream`, its tries and its timeout). */
  get goOn(): boolean {
    const { proxy_next_upstream: next, proxy_next_upstream_timeout: timeout } = this.owner.conf;
    if (!this.#source || this.#source.tries === 0 || !next) return false;
    return timeout === 0 || monotonic() - this.#first < timeout;
  }

  /** Gives the current peer back; `state`: PEER_OK or PEER_FAILED. */
  release(state: number): void {
    const { peer } = this;
    this.peer = undefined;
    if (peer) this.#source?.release(peer, state);
  }

  /** The session is at its end. */
  end(): void {
    this.#over = true;
    this.#lookup?.cancel();
    this.#lookup = undefined;
    if (this.current.responseTime < 0) this.current.responseTime = monotonic() - this.#begun;
  }
}
