/** `set_real_ip_from` and its like: the address that a trusted balancer names is taken for the client's (ngx_http_realip). */
import { isIP } from 'node:net';
import { directive, type Parser } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { DECLINED } from '../verdict.ts';
import { addressBytes, type Cidr, inCidr, parseCidr, unmapped } from './addresses.ts';

/** Clients of unix sockets, or a range of addresses. */
type Trusted = 'unix' | Cidr;

const from: Parser<readonly Trusted[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    if (word.text === 'unix:') return [...own, 'unix'];
    const range = parseCidr(word.text);
    if (range) {
      if (range.strayBits) args.warn(`low address bits of ${word.text} are meaningless`);
      return [...own, range];
    }
    const found = args.scope.load.addresses(word.text);
    if (found.length === 0) args.fail(`host not found in set_real_ip_from "${word.text}"`, word);
    return [...own, ...found.flatMap((address) => parseCidr(address) ?? [])];
  },
};

const trusts = (list: readonly Trusted[], text: string, unix: boolean): boolean => {
  if (unix) return list.includes('unix');
  const bytes = addressBytes(text);
  if (!bytes) return false;
  const address = unmapped(bytes);
  return list.some((one) => one !== 'unix' && inCidr(address, one));
};

interface Address {
  readonly text: string;
  /** 0 when none is named. */
  readonly port: number;
}

/** `192.0.2.1`, `192.0.2.1:80`, `::1`, `[::1]:80`; undefined when it is none of these. */
export const parseAddress = (text: string): Address | undefined => {
  if (isIP(text) !== 0) return { text, port: 0 };
  const match = /^(?:\[(.+)\](?::(\d+))?|([^:]+):(\d+))$/.exec(text);
  const address = match?.[1] ?? match?.[3] ?? '';
  const port = parseNumber(match?.[2] ?? match?.[4] ?? '');
  if (isIP(address) === 0 || (match?.[1] !== undefined && isIP(address) !== 6)) return undefined;
  return port !== undefined && port >= 1 && port <= 65535 ? { text: address, port } : undefined;
};

/**
 * The client's address by lists of addresses, the nearest hop last in each and the nearest list last: the
 * last one, or with `recursive` the last one that is not itself trusted. Undefined: it stays as it is.
 */
export const forwardedAddress = (
  list: readonly Trusted[],
  recursive: boolean,
  client: { readonly text: string; readonly unix: boolean },
  values: readonly string[],
): Address | undefined => {
  let found: Address | undefined;
  const hops = values.flatMap((value) => value.split(/[ ,]+/).filter((hop) => hop !== ''));
  for (let i = hops.length - 1; i >= 0; i--) {
    if (!trusts(list, found?.text ?? client.text, found === undefined && client.unix)) return found;
    const next = parseAddress(hops[i] ?? '');
    if (!next) return found;
    found = next;
    if (!recursive) return found;
  }
  return found;
};

/** The values of the header that names the address; for most headers the first line counts, of X-Forwarded-For all. */
const valuesOf = (request: Request, lower: string): readonly string[] => {
  const { names, values } = request.headers;
  const found: string[] = [];
  for (let i = 0; i < names.length; i++) {
    if (names[i]?.lower === lower) found.push(values[i] ?? '');
  }
  return lower === 'x-forwarded-for' ? found : found.slice(0, 1);
};

const handler = (list: readonly Trusted[], header: string, recursive: boolean): Handler => {
  const proxied = header === 'proxy_protocol';
  const lower = header.toLowerCase();
  return (request) => {
    const { stream } = request;
    if (stream.peer !== undefined) return DECLINED;
    const { proxyProtocol } = stream;
    const values = proxied ? (proxyProtocol ? [proxyProtocol.sourceAddress] : []) : valuesOf(request, lower);
    if (values.length === 0) return DECLINED;
    const found = forwardedAddress(
      list,
      recursive,
      { text: stream.remoteAddress, unix: stream.unix },
      values,
    );
    if (found) stream.actAs?.(found.text, proxied && proxyProtocol ? proxyProtocol.sourcePort : found.port);
    return DECLINED;
  };
};

const port = (value: number): string => (value > 0 && value < 65536 ? `${value}` : '');

export const realipModule = httpModule({
  name: 'http_realip',
  directives: {
    set_real_ip_from: directive<readonly Trusted[]>(from, {
      in: ['http', 'server', 'location'],
      initial: [],
    }),
    real_ip_header: directive<string>(
      { arity: 1, parse: (args) => wordAt(args, 0).text },
      { in: ['http', 'server', 'location'], initial: 'X-Real-IP' },
    ),
    real_ip_recursive: directive(flag, { in: ['http', 'server', 'location'], initial: false }),
  },
  variables: {
    realip_remote_addr: {
      get: ({ stream }) => {
        const peer = stream.peer ?? stream;
        return peer.unix ? 'unix:' : peer.remoteAddress;
      },
    },
    realip_remote_port: { get: ({ stream }) => port((stream.peer ?? stream).remotePort) },
  },
  phases: {
    'post-read': (conf) =>
      conf.set_real_ip_from.length > 0
        ? handler(conf.set_real_ip_from, conf.real_ip_header, conf.real_ip_recursive)
        : undefined,
    preaccess: (conf) =>
      conf.set_real_ip_from.length > 0
        ? handler(conf.set_real_ip_from, conf.real_ip_header, conf.real_ip_recursive)
        : undefined,
  },
});
