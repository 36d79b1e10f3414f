/** The `listen` directive of stream. */
import type { Args } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import type { ListenSpec } from '../process/contract.ts';
import {
  isWildcard,
  type Lookup,
  listenAddresses,
  SocketOptions,
  specOf,
} from '../process/listen-directive.ts';

/** One `listen` of one server. */
export interface Listen {
  readonly spec: ListenSpec;
  readonly isDefault: boolean;
  /** It has options of the socket: only one `listen` for an address may have them. */
  readonly set: boolean;
  /** It asks for a socket of its own, even where a wildcard address has the port. */
  readonly bind: boolean;
  readonly wildcard: boolean;
  readonly ssl: boolean;
  readonly proxyProtocol: boolean;
}

/** What can't be asked of a socket of datagrams, in nginx's order. */
const incompatible = (options: SocketOptions, backlog: boolean, ssl: boolean, proxy: boolean): string => {
  if (options.fastopen !== undefined) return 'fastopen';
  if (backlog) return 'backlog';
  if (options.deferred) return 'deferred';
  if (options.multipath) return 'multipath';
  if (ssl) return 'ssl';
  if (options.keepalive !== undefined) return 'so_keepalive';
  return proxy ? 'proxy_protocol' : '';
};

/** Reads a `listen`. Throws in nginx's words. */
export const parseListen = (args: Args, lookup: Lookup): readonly Listen[] => {
  const found = listenAddresses(args, wordAt(args, 0), lookup, '');
  const options = new SocketOptions(args);
  let isDefault = false;
  let ssl = false;
  let udp = false;
  let proxyProtocol = false;
  let backlog = false;
  for (const word of args.words.slice(1)) {
    const { text } = word;
    if (options.take(word)) backlog ||= text.startsWith('backlog=');
    else if (text === 'default_server') isDefault = true;
    else if (text === 'udp') udp = true;
    else if (text === 'ssl') ssl = true;
    else if (text === 'proxy_protocol') proxyProtocol = true;
    else args.fail(`invalid parameter "${text}"`, word);
  }
  const wrong = udp ? incompatible(options, backlog, ssl, proxyProtocol) : '';
  if (wrong !== '') args.failDirective(`"${wrong}" parameter is incompatible with "udp"`);
  const { set } = options;
  return found.map((address) => ({
    spec: specOf(address, options, args.place, udp),
    isDefault,
    set,
    bind: set,
    wildcard: isWildcard(address),
    ssl,
    proxyProtocol,
  }));
};
