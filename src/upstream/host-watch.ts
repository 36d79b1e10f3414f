/** Looks the name of a `server NAME resolve` up again and again, and gives its group what is found. */
import type { ErrorLog } from '../log/error-log.ts';
import { ERROR } from '../log/levels.ts';
import { type Lookup, type LookupOwner, lookupError, NO_SUCH_NAME } from '../net/lookup.ts';
import type { Resolver } from '../net/resolver.ts';
import { Timer, type TimerOwner } from '../net/timers.ts';
import type { MemberGroup } from './member-group.ts';
import type { HostServer } from './members.ts';
import { seconds } from './round-robin.ts';

/** How a group's names are looked up. */
export interface Resolving {
  readonly resolver: Resolver;
  /** Milliseconds. */
  readonly timeout: number;
}

const LEAST_RETRY = 1000;

export class HostWatch implements LookupOwner, TimerOwner {
  readonly #timer = new Timer(this);
  #lookup: Lookup | undefined = undefined;

  constructor(
    readonly group: MemberGroup<never>,
    readonly line: number,
    readonly server: HostServer,
    readonly resolving: Resolving,
    readonly log: ErrorLog,
  ) {}

  start(): void {
    const left = this.group.validOf(this.line) - seconds();
    this.#timer.start(left > 0 ? left * 1000 : 1);
  }

  stop(): void {
    this.#timer.remove();
    this.#lookup?.cancel();
    this.#lookup = undefined;
  }

  onTimer(): void {
    const { resolver, timeout } = this.resolving;
    const lookup = resolver.lookup(this.server.host, this.server.service, timeout, this);
    if (!lookup.over) this.#lookup = lookup;
  }

  onResolved(lookup: Lookup): void {
    this.#lookup = undefined;
    const { code, addresses, valid } = lookup;
    this.#report(lookup);
    // That there is no such name is an answer; that nobody answers is none.
    if (code !== 0 && code !== NO_SUCH_NAME) {
      this.#timer.start(Math.max(this.resolving.timeout, LEAST_RETRY));
      return;
    }
    if (!this.group.resolved(this.line, addresses, valid)) {
      this.log.write(ERROR, `cannot add new server to upstream "${this.group.name}", memory exhausted`);
    }
    const left = valid - seconds();
    this.#timer.start(left > 0 ? (left + 1) * 1000 : 1000);
  }

  #report({ name, code, lost }: Lookup): void {
    const { service } = this.server;
    const why = (of: number): string => `could not be resolved (${of}: ${lookupError(of)})`;
    for (const one of lost) {
      this.log.write(ERROR, `${one.name} ${why(one.code)} while resolving service ${service} of ${name}`);
    }
    if (code === 0) return;
    this.log.write(ERROR, `${service === '' ? name : `service ${service} of ${name}`} ${why(code)}`);
  }
}
