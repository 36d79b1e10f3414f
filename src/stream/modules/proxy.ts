/** `proxy_pass` of stream (ngx_stream_proxy). */
import { Reason } from '../../config/reason.ts';
import { ERROR } from '../../log/levels.ts';
import { parseAddress } from '../../upstream/address.ts';
import type { PeerGroup, PeerTls } from '../../upstream/contract.ts';
import { NameGroup } from '../../upstream/name-group.ts';
import { PeerTlsMaker } from '../../upstream/peer-tls.ts';
import type { UpstreamGroups } from '../../upstream/registry.ts';
import { STREAM, type StreamBuild } from '../build.ts';
import { streamModule } from '../module.ts';
import { type ProxyConf, proxyRows } from '../proxy/conf.ts';
import { DatagramPassage } from '../proxy/datagram-passage.ts';
import { Passage } from '../proxy/passage.ts';
import type { Session } from '../session.ts';

/** The group that an address made of variables means. Undefined where there is none, which has been logged. */
const groupOf = (
  session: Session,
  upstreams: UpstreamGroups<Session>,
  text: string,
): PeerGroup<Session> | undefined => {
  try {
    const { host, port, noPort, kind } = parseAddress(text, 0);
    const known = upstreams.find(noPort ? host : `${host}:${port}`);
    if (known) return known;
    if (kind !== 'unix' && port === 0) {
      session.log(ERROR, `no port in upstream "${host}"`);
      return undefined;
    }
    if (kind !== 'name') return upstreams.direct(text);
    const { resolver, resolver_timeout: timeout } = session.server.core;
    if (resolver) return new NameGroup(host, port, resolver, timeout);
    session.log(ERROR, `no resolver defined to resolve ${host}`);
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    session.log(ERROR, `${error.message} in upstream "${text}"`);
  }
  return undefined;
};

const begin = (session: Session, conf: ProxyConf, upstreams: UpstreamGroups<Session>): void => {
  const { proxy_pass: pass } = conf;
  if (!pass) return;
  const passage = session.datagrams
    ? new DatagramPassage(session, session.datagrams, conf)
    : new Passage(session, conf);
  session.upstream = passage;
  const group = 'group' in pass ? pass.group : groupOf(session, upstreams, pass.text(session));
  if (group) passage.start(group);
  else passage.refuse();
};

/** What the servers of a stream block have in common. */
const made = new WeakMap<StreamBuild, PeerTlsMaker<Session>>();

export const proxyModule = streamModule({
  name: proxyRows.name,
  directives: proxyRows.directives,
  derive(conf, scope): { readonly tls: PeerTls<Session> | undefined } {
    if (!conf.proxy_ssl) return { tls: undefined };
    const build = scope.need(STREAM);
    const maker = made.get(build) ?? new PeerTlsMaker<Session>(scope);
    made.set(build, maker);
    return { tls: maker.of(conf, 'proxy', scope) };
  },
  content: (conf, { build }) => conf.proxy_pass && ((session) => begin(session, conf, build.upstreams)),
});
