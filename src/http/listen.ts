/** The `listen` directive: an address, a range of ports or a unix socket, and the options of its socket. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Args, Place, Word } from '../config/contract.ts';
import { parseMsec, parseNumber, parseSize } from '../config/numbers.ts';
import { wordAt } from '../config/parsers.ts';
import { Reason } from '../config/reason.ts';
import type { ListenSpec } from '../process/contract.ts';

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

type Address = Pick<ListenSpec, 'key' | 'family' | 'address' | 'port'>;

/** nginx's backlog where none is given. */
const BACKLOG = 511;

const addressOf = (family: 'ipv4' | 'ipv6', address: string, port: number): Address => ({
  key: family === 'ipv6' ? `[${address}]:${port}` : `${address}:${port}`,
  family,
  address,
  port,
});

/** `80` or `8000-8010`. Throws Reason in nginx's words. */
const parsePorts = (text: string): readonly [number, number] => {
  const [first = '', last = first] = text.split(/-(.*)/s);
  const [from, to] = [parseNumber(first) ?? 0, parseNumber(last) ?? 0];
  if (from < 1 || from > 65535 || to < 1 || to > 65535) throw new Reason('invalid port');
  if (from > to) throw new Reason('invalid port range');
  return [from, to];
};

const areNumbers = (text: string): boolean =>
  text
    .split(/-(.*)/s)
    .slice(0, 2)
    .every((part) => parseNumber(part) !== undefined);

/** The host as written (`*` where there is none) and the ports. Throws Reason in nginx's words. */
const splitAddress = (text: string): readonly [host: string, ports: readonly [number, number]] => {
  if (/[/?]/.test(text)) throw new Reason('invalid host');
  const bracket = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracket) {
    const [, host = '', ports = '80'] = bracket;
    if (!isIPv6(host)) throw new Reason('invalid IPv6 address');
    return [host, parsePorts(ports)];
  }
  if (text.startsWith('[')) throw new Reason('invalid host');
  const colon = text.indexOf(':');
  if (colon < 0 && areNumbers(text)) return ['*', parsePorts(text)];
  const host = colon < 0 ? text : text.slice(0, colon);
  const ports = parsePorts(colon < 0 ? '80' : text.slice(colon + 1));
  if (host === '') throw new Reason('no host');
  return [host, ports];
};

/** What `read` gives; its Reason goes to `bad`. */
const reasoned = <T>(read: () => T, bad: (reason: string) => never): T => {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    return bad(error.message);
  }
};

/** Looks a name up at load, synchronously; the empty list when it is not known. */
export type Lookup = (name: string) => readonly string[];

const addresses = (args: Args, word: Word, lookup: Lookup): readonly Address[] => {
  const text = word.text;
  const bad = (reason: string): never => args.fail(`${reason} in "${text}" of the "listen" directive`, word);
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    if (path === '') return bad('no path in the unix domain socket');
    return [{ key: text, family: 'unix', address: path, port: 0 }];
  }
  const [host, ports] = reasoned(() => splitAddress(text), bad);
  const hosts = host === '*' ? ['0.0.0.0'] : isIPv4(host) || isIPv6(host) ? [host] : lookup(host);
  if (hosts.length === 0) return bad('host not found');
  const found: Address[] = [];
  for (const one of hosts) {
    for (let port = ports[0]; port <= ports[1]; port++) {
      found.push(addressOf(isIPv6(one) ? 'ipv6' : 'ipv4', one, port));
    }
  }
  return found;
};

interface Options {
  backlog: number;
  reuseport: boolean;
  ipv6only: boolean;
  deferred: boolean;
  rcvbuf: number | undefined;
  sndbuf: number | undefined;
  fastopen: number | undefined;
  keepalive: ListenSpec['keepalive'];
}

const keepaliveOf = (args: Args, word: Word): ListenSpec['keepalive'] => {
  const value = word.text.slice('so_keepalive='.length);
  if (value === 'on') return true;
  if (value === 'off') return false;
  const [idle = '', interval = '', count = '', ...more] = value.split(':');
  const seconds = (text: string): number | undefined => {
    const ms = text === '' ? undefined : parseMsec(text);
    return ms === undefined ? undefined : Math.round(ms / 1000);
  };
  const keepidle = seconds(idle);
  const keepintvl = seconds(interval);
  const keepcnt = count === '' ? undefined : parseNumber(count);
  const wrong =
    more.length > 0 ||
    (idle !== '' && !keepidle) ||
    (interval !== '' && !keepintvl) ||
    (count !== '' && !keepcnt) ||
    (idle === '' && interval === '' && count === '');
  if (wrong) return args.fail(`invalid so_keepalive value: "${value}"`, word);
  return {
    ...(keepidle ? { idle: keepidle } : {}),
    ...(keepintvl ? { interval: keepintvl } : {}),
    ...(keepcnt ? { count: keepcnt } : {}),
  };
};

/** Field by field: two spreads into one object take the slow way, and there are thousands of servers. */
const specOf = (address: Address, options: Options, place: Place): ListenSpec => ({
  key: address.key,
  family: address.family,
  address: address.address,
  port: address.port,
  backlog: options.backlog,
  reuseport: options.reuseport,
  ipv6only: options.ipv6only,
  deferred: options.deferred,
  rcvbuf: options.rcvbuf,
  sndbuf: options.sndbuf,
  fastopen: options.fastopen,
  keepalive: options.keepalive,
  place,
});

/** Reads a `listen`. Throws in nginx's words. */
export const parseListen = (args: Args, lookup: Lookup): readonly Listen[] => {
  const found = addresses(args, wordAt(args, 0), lookup);
  const options: Options = {
    backlog: BACKLOG,
    reuseport: false,
    ipv6only: true,
    deferred: false,
    rcvbuf: undefined,
    sndbuf: undefined,
    fastopen: undefined,
    keepalive: undefined,
  };
  let isDefault = false;
  let ssl = false;
  let http2 = false;
  let proxyProtocol = false;
  let set = false;
  const numeric = (word: Word, name: string, read: (text: string) => number | undefined): number => {
    const value = read(word.text.slice(name.length + 1));
    set = true;
    return value === undefined ? args.fail(`invalid ${name} "${word.text}"`, word) : value;
  };
  for (const word of args.words.slice(1)) {
    const text = word.text;
    const name = text.includes('=') ? text.slice(0, text.indexOf('=')) : text;
    if (text === 'default_server' || text === 'default') isDefault = true;
    else if (text === 'bind') set = true;
    else if (name === 'backlog' && name !== text) {
      options.backlog = numeric(word, name, parseNumber);
      if (options.backlog === 0) args.fail(`invalid backlog "${text}"`, word);
    } else if (name === 'rcvbuf' && name !== text) options.rcvbuf = numeric(word, name, parseSize);
    else if (name === 'sndbuf' && name !== text) options.sndbuf = numeric(word, name, parseSize);
    else if (name === 'fastopen' && name !== text) options.fastopen = numeric(word, name, parseNumber);
    else if (name === 'setfib' && name !== text) args.fail(`invalid parameter "${text}"`, word);
    else if (text === 'deferred') {
      options.deferred = true;
      set = true;
    } else if (text === 'reuseport') {
      options.reuseport = true;
      set = true;
    } else if (text.startsWith('ipv6only=o')) {
      if (text !== 'ipv6only=on' && text !== 'ipv6only=off')
        args.fail(`invalid ipv6only flags "${text.slice(9)}"`, word);
      options.ipv6only = text.endsWith('on');
      set = true;
    } else if (text.startsWith('so_keepalive=')) {
      options.keepalive = keepaliveOf(args, word);
      set = true;
    } else if (text.startsWith('accept_filter=')) {
      args.warn(`accept filters "${text}" are not supported on this platform, ignored`);
    } else if (text === 'multipath') {
      args.warn('multipath is not supported on this platform, ignored');
    } else if (text === 'ssl') ssl = true;
    else if (text === 'http2') {
      args.warn('the "listen ... http2" directive is deprecated, use the "http2" directive instead');
      http2 = true;
    } else if (text === 'quic') args.fail('the "quic" parameter requires ngx_http_v3_module', word);
    else if (text === 'proxy_protocol') proxyProtocol = true;
    else args.fail(`invalid parameter "${text}"`, word);
  }
  const different =
    found.length > 1 ? [...new Map(found.map((address) => [address.key, address])).values()] : found;
  return different.map((address) => ({
    spec: specOf(address, options, args.place),
    isDefault,
    set,
    bind: set,
    wildcard: address.address === '0.0.0.0' || address.address === '::',
    ssl,
    http2,
    proxyProtocol,
  }));
};
