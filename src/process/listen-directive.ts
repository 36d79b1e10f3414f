/** The addresses and the options of a socket, as `listen` gives them whatever the protocol. */
import { isIPv4, isIPv6 } from 'node:net';
import type { Args, Place, Word } from '../config/contract.ts';
import { parseMsec, parseNumber, parseSize } from '../config/numbers.ts';
import { Reason } from '../config/reason.ts';
import type { ListenSpec } from './contract.ts';

export type Address = Pick<ListenSpec, 'key' | 'family' | 'address' | 'port'>;

/** nginx's backlog where none is given. */
const BACKLOG = 511;

/** An address with the name that nginx prints. */
export const addressOf = (family: 'ipv4' | 'ipv6', address: string, port: number): Address => ({
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
const splitAddress = (
  text: string,
  defaultPort: string,
): readonly [host: string, ports: readonly [number, number]] => {
  if (/[/?]/.test(text)) throw new Reason('invalid host');
  const bracket = /^\[([^\]]*)\](?::(.*))?$/s.exec(text);
  if (bracket) {
    const [, host = '', ports = defaultPort] = bracket;
    if (!isIPv6(host)) throw new Reason('invalid IPv6 address');
    return [host, parsePorts(ports)];
  }
  if (text.startsWith('[')) throw new Reason('invalid host');
  const colon = text.indexOf(':');
  if (colon < 0 && areNumbers(text)) return ['*', parsePorts(text)];
  const host = colon < 0 ? text : text.slice(0, colon);
  const ports = parsePorts(colon < 0 ? defaultPort : text.slice(colon + 1));
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

/** The addresses that a `listen` names. `defaultPort`: of those that name none. Throws in nginx's words. */
export const listenAddresses = (
  args: Args,
  word: Word,
  lookup: Lookup,
  defaultPort: string,
): readonly Address[] => {
  const text = word.text;
  const bad = (reason: string): never => args.fail(`${reason} in "${text}" of the "listen" directive`, word);
  if (text.startsWith('unix:')) {
    const path = text.slice(5);
    if (path === '') return bad('no path in the unix domain socket');
    return [{ key: text, family: 'unix', address: path, port: 0 }];
  }
  const [host, ports] = reasoned(() => splitAddress(text, defaultPort), bad);
  const hosts = host === '*' ? ['0.0.0.0'] : isIPv4(host) || isIPv6(host) ? [host] : lookup(host);
  if (hosts.length === 0) return bad('host not found');
  const found: Address[] = [];
  for (const one of hosts) {
    for (let port = ports[0]; port <= ports[1]; port++) {
      found.push(addressOf(isIPv6(one) ? 'ipv6' : 'ipv4', one, port));
    }
  }
  return found.length > 1 ? [...new Map(found.map((address) => [address.key, address])).values()] : found;
};

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

/** The options of a listening socket, as the words of a `listen` give them. */
export class SocketOptions {
  backlog = BACKLOG;
  reuseport = false;
  ipv6only = true;
  deferred = false;
  /** Asked for; there is none. */
  multipath = false;
  rcvbuf: number | undefined = undefined;
  sndbuf: number | undefined = undefined;
  fastopen: number | undefined = undefined;
  keepalive: ListenSpec['keepalive'] = undefined;
  /** Some were given. */
  set = false;

  constructor(readonly args: Args) {}

  /** Takes a word when it is one of these. Throws in nginx's words. */
  take(word: Word): boolean {
    const { args } = this;
    const { text } = word;
    const equals = text.indexOf('=');
    const name = equals < 0 ? '' : text.slice(0, equals);
    if (text === 'bind') this.set = true;
    else if (name === 'backlog') {
      this.backlog = this.#numeric(word, name, parseNumber);
      if (this.backlog === 0) args.fail(`invalid backlog "${text}"`, word);
    } else if (name === 'rcvbuf') this.rcvbuf = this.#numeric(word, name, parseSize);
    else if (name === 'sndbuf') this.sndbuf = this.#numeric(word, name, parseSize);
    else if (name === 'fastopen') this.fastopen = this.#numeric(word, name, parseNumber);
    else if (text === 'deferred') {
      this.deferred = true;
      this.set = true;
    } else if (text === 'reuseport') {
      this.reuseport = true;
      this.set = true;
    } else if (text.startsWith('ipv6only=o')) {
      if (text !== 'ipv6only=on' && text !== 'ipv6only=off')
        args.fail(`invalid ipv6only flags "${text.slice(9)}"`, word);
      this.ipv6only = text.endsWith('on');
      this.set = true;
    } else if (text.startsWith('so_keepalive=')) {
      this.keepalive = keepaliveOf(args, word);
      this.set = true;
    } else if (text.startsWith('accept_filter=')) {
      args.warn(`accept filters "${text}" are not supported on this platform, ignored`);
    } else if (text === 'multipath') {
      this.multipath = true;
      args.warn('multipath is not supported on this platform, ignored');
    } else return false;
    return true;
  }

  #numeric(word: Word, name: string, read: (text: string) => number | undefined): number {
    this.set = true;
    return read(word.text.slice(name.length + 1)) ?? this.args.fail(`invalid ${name} "${word.text}"`, word);
  }
}

/** Field by field: two spreads into one object take the slow way, and there are thousands of servers. */
export const specOf = (
  address: Address,
  options: SocketOptions,
  place: Place,
  datagram = false,
): ListenSpec => ({
  key: address.key,
  datagram,
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

/** Whether the address is all of its family. */
export const isWildcard = ({ address }: Address): boolean => address === '0.0.0.0' || address === '::';
