/** SCGI: requests passed on to servers that speak it (ngx_http_scgi). */
import { directive } from '../../config/contract.ts';
import { SCGI_PAIRS, ScgiProtocol } from '../../upstream/protocols/cgi/protocol.ts';
import { compileParams } from '../../upstream/protocols/fastcgi/params.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { httpModule } from '../module.ts';
import {
  ANYWHERE,
  CGI_HIDDEN,
  CGI_NEXT,
  passApplies,
  toUpstreamConf,
  upstreamRows,
} from '../upstream-directives.ts';
import { params, withCacheParams, withDefaults } from './fastcgi-params.ts';
import { fastcgiPass, groupAt, type Pass } from './fastcgi-pass.ts';

export const scgi = httpModule({
  name: 'http_scgi',
  directives: {
    ...upstreamRows('scgi', CGI_NEXT),
    scgi_pass: directive<Pass | undefined>(fastcgiPass, {
      in: ['location', 'if-in-location'],
      initial: undefined,
    }),
    scgi_param: directive(params, { in: ANYWHERE, initial: [] }),
  },
  derive: (conf, scope) => ({
    upstream: toUpstreamConf(
      conf,
      { prefix: 'scgi', hidden: CGI_HIDDEN, tempFolder: scope.load.builtIn.scgiTemp },
      scope,
    ),
  }),
  derived: ['upstream'],
  content(conf, { build, scope }) {
    const pass = conf.scgi_pass;
    if (!pass || !passApplies(pass.scope, scope)) return undefined;
    const { upstream, passRequestHeaders: headers } = conf;
    const own = compileParams(withDefaults(conf.scgi_param, build), headers, SCGI_PAIRS);
    const cacheParams = upstream.cache
      ? compileParams(withCacheParams(conf.scgi_param, build), headers, SCGI_PAIRS)
      : own;
    const protocol = new ScgiProtocol({ params: own, cacheParams }, undefined);
    const { ref, template } = pass;
    if (ref) return (request) => startUpstream(request, upstream, protocol, ref.group);
    return (request) => {
      const group = groupAt(request, template.text(request), build.upstreams);
      return typeof group === 'number' ? group : startUpstream(request, upstream, protocol, group);
    };
  },
});
