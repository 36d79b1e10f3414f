/** Which sockets are bound for the addresses that a protocol's servers listen on. */
import type { ListenSpec } from './contract.ts';

/** An address that is listened on. */
export interface Listened {
  readonly listen: {
    readonly spec: ListenSpec;
    /** It asks for a socket of its own, even where a wildcard address has the port. */
    readonly bind: boolean;
    readonly wildcard: boolean;
  };
}

/** One socket: the address that it is bound to, and others that come in on it. */
export interface BoundSocket<T extends Listened> {
  readonly own: T;
  readonly others: readonly T[];
}

const samePort = (a: Listened, b: Listened): boolean =>
  a.listen.spec.family === b.listen.spec.family &&
  a.listen.spec.datagram === b.listen.spec.datagram &&
  a.listen.spec.port === b.listen.spec.port;

/** A wildcard socket serves the single addresses of its port that ask for none of their own. */
export const boundSockets = <T extends Listened>(addresses: Iterable<T>): readonly BoundSocket<T>[] => {
  const all = [...addresses];
  const wildcards = all.filter(({ listen }) => listen.wildcard);
  return all.flatMap((own) => {
    const { wildcard, bind, spec } = own.listen;
    const served = !wildcard && !bind && spec.family !== 'unix';
    if (served && wildcards.some((other) => samePort(own, other))) return [];
    const others = wildcard
      ? all.filter((other) => other !== own && !other.listen.bind && samePort(own, other))
      : [];
    return [{ own, others }];
  });
};

/** What a service keeps of one socket; `C`: what holds for connections to an address. */
export interface ServedSocket<C> {
  readonly spec: ListenSpec;
  readonly fallback: C;
  /** By local address, where a wildcard socket serves several. */
  readonly byAddress: ReadonlyMap<string, C>;
  /** What is accepted must be given TCP_NODELAY: it does not inherit it. */
  delays: boolean;
}

/** Which sockets are bound, and what comes in on them; `confOf` is asked once an address, in order. */
export const servedSockets = <T extends Listened, C extends object>(
  addresses: Iterable<T>,
  confOf: (address: T) => C,
): readonly ServedSocket<C>[] => {
  const confs = new Map([...addresses].map((one) => [one, confOf(one)]));
  return boundSockets(confs.keys()).flatMap(({ own, others }) => {
    const fallback = confs.get(own);
    const byAddress = new Map<string, C>();
    for (const other of others) {
      const conf = confs.get(other);
      if (conf) byAddress.set(other.listen.spec.address, conf);
    }
    return fallback ? [{ spec: own.listen.spec, fallback, byAddress, delays: true }] : [];
  });
};
