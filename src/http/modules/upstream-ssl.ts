/** TLS to the peers of a location: `proxy_ssl_*`, `uwsgi_ssl_*` and their like. */
import type { Scope } from '../../config/contract.ts';
import type { PeerTls } from '../../upstream/contract.ts';
import * as peers from '../../upstream/peer-tls.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import { template } from '../parsers.ts';
import type { Request } from '../request.ts';
import { ANYWHERE } from '../upstream-directives.ts';

/** The rows; the directives are `PREFIX_ssl_verify` and so on. */
export const peerTlsRows = (prefix: string) => peers.peerTlsRows<Request>(prefix, ANYWHERE, template);

/** What the locations of an http block have in common. */
const made = new WeakMap<HttpBuild, peers.PeerTlsMaker<Request>>();

/** TLS as a location wants it. Throws ConfError in nginx's words, without a line where nginx names none. */
export const toPeerTls = (conf: peers.PeerTlsConf<Request>, prefix: string, scope: Scope): PeerTls => {
  const build = scope.need(HTTP);
  const maker = made.get(build) ?? new peers.PeerTlsMaker<Request>(scope);
  made.set(build, maker);
  return maker.of(conf, prefix, scope);
};
