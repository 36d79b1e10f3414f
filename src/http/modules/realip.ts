/** `set_real_ip_from` and its like: the address that a trusted balancer names is taken for the client's (ngx_http_realip). */
import { directive } from '../../config/contract.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { addressText } from '../../net/address-text.ts';
import { rangesOf, type Trusted, trustedFrom, trustsClient } from '../../values/trusted.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { DECLINED } from '../verdict.ts';
import { forwardedAddress } from './forwarded.ts';

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
  const ranges = rangesOf(list);
  return (request) => {
    const { stream } = request;
    if (stream.peer !== undefined) return DECLINED;
    const { proxyProtocol } = stream;
    const values = proxied ? (proxyProtocol ? [proxyProtocol.sourceAddress] : []) : valuesOf(request, lower);
    if (values.length === 0) return DECLINED;
    const found = forwardedAddress(trustsClient(list, ranges, stream), values, ranges, recursive);
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
    set_real_ip_from: directive<readonly Trusted[]>(trustedFrom, {
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
