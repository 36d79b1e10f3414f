/** The `listen` directive: an address, a range of ports or a unix socket, and the options of its socket. */
import type { Args } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import type { ListenSpec } from '../process/contract.ts';
import {
  addressOf,
  isWildcard,
  type Lookup,
  listenAddresses,
  SocketOptions,
  specOf,
} from '../process/listen-directive.ts';

export type { Lookup };

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
  readonly http2: boolean;
  readonly proxyProtocol: boolean;
}

/** Where a server listens that has no `listen`. */
export const defaultListen = (args: Args): Listen => {
  const port = process.getuid?.() === 0 ? 80 : 8000;
  return {
    spec: specOf(addressOf('ipv4', '0.0.0.0', port), new SocketOptions(args), args.place),
    isDefault: false,
    set: false,
    bind: false,
    wildcard: true,
    ssl: false,
    http2: false,
    proxyProtocol: false,
  };
};

/** Reads a `listen`. Throws in nginx's words. */
export const parseListen = (args: Args, lookup: Lookup): readonly Listen[] => {
  const found = listenAddresses(args, wordAt(args, 0), lookup, '80');
  const options = new SocketOptions(args);
  let isDefault = false;
  let ssl = false;
  let http2 = false;
  let proxyProtocol = false;
  for (const word of args.words.slice(1)) {
    const { text } = word;
    if (options.take(word)) continue;
    if (text === 'default_server' || text === 'default') isDefault = true;
    else if (text === 'ssl') ssl = true;
    else if (text === 'http2') {
      args.warn('the "listen ... http2" directive is deprecated, use the "http2" directive instead');
      http2 = true;
    } else if (text === 'quic') args.fail('the "quic" parameter requires ngx_http_v3_module', word);
    else if (text === 'proxy_protocol') proxyProtocol = true;
    else args.fail(`invalid parameter "${text}"`, word);
  }
  const { set } = options;
  return found.map((address) => ({
    spec: specOf(address, options, args.place),
    isDefault,
    set,
    bind: set,
    wildcard: isWildcard(address),
    ssl,
    http2,
    proxyProtocol,
  }));
};
