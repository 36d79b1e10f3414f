/** `set_real_ip_from` and its like: the address that a trusted balancer names is taken for the client's (ngx_http_realip). */
import { directive, type Parser } from '../../config/contract.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { addressText } from '../../net/address-text.ts';
import { addressBytes, type Cidr, parseCidr } from '../../net/addresses.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { DECLINED } from '../verdict.ts';
import { forwardedAddress, isTrusted } from './forwarded.ts';

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

const trustsClient = (list: readonly Trusted[], ranges: readonly Cidr[], { stream }: Request): boolean => {
  if (stream.unix) return list.includes('unix');
  const bytes = addressBytes(stream.remoteAddress);
  return bytes !== undefined && isTrusted(bytes, ranges);
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
  const ranges = list.filter((one) => one !== 'unix');
  return (request) => {
    const { stream } = request;
    if (stream.peer !== undefined) return DECLINED;
    const { proxyProtocol } = stream;
    const values = proxied ? (proxyProtocol ? [proxyProtocol.sourceAddress] : []) : valuesOf(request, lower);
    if (values.length === 0) return DECLINED;
    const found = forwardedAddress(trustsClient(list, ranges, request), values, ranges, recursive);
    if (!found) return DECLINED;
    const { port: named } = found;
    stream.actAs?.(addressText(found.bytes), proxied && proxyProtocol ? proxyProtocol.sourcePort : named);
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
