/** `set_real_ip_from` of stream: the address in a PROXY header of a trusted balancer is the client's (ngx_stream_realip). */
import { directive } from '../../config/contract.ts';
import { addressText } from '../../net/address-text.ts';
import { addressBytes } from '../../net/addresses.ts';
import { rangesOf, type Trusted, trustedFrom, trustsClient } from '../../values/trusted.ts';
import { type Handler, streamModule } from '../module.ts';
import { DECLINED } from '../verdict.ts';
import { portText } from './variables.ts';

const handler = (list: readonly Trusted[]): Handler => {
  const ranges = rangesOf(list);
  return (session) => {
    const { proxyProtocol } = session;
    if (!proxyProtocol || !trustsClient(list, ranges, session)) return DECLINED;
    const named = addressBytes(proxyProtocol.sourceAddress);
    if (named) session.actAs(addressText(named), proxyProtocol.sourcePort);
    return DECLINED;
  };
};

export const realipModule = streamModule({
  name: 'stream_realip',
  directives: {
    set_real_ip_from: directive<readonly Trusted[]>(trustedFrom, {
      in: ['stream', 'stream-server'],
      initial: [],
    }),
  },
  variables: {
    realip_remote_addr: { get: ({ peer, clientText }) => peer?.text ?? clientText, cached: true },
    realip_remote_port: { get: ({ peer, remotePort }) => portText(peer?.port ?? remotePort), cached: true },
  },
  phases: {
    'post-accept': ({ set_real_ip_from: list }) => (list.length > 0 ? handler(list) : undefined),
  },
});
