/** FastCGI: requests passed on to responders such as php-fpm (ngx_http_fastcgi). */
import { directive } from '../../config/contract.ts';
import { flag, str, strings } from '../../config/parsers.ts';
import { compileParams } from '../../upstream/protocols/fastcgi/params.ts';
import { FastcgiProtocol } from '../../upstream/protocols/fastcgi/protocol.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import {
  ANYWHERE,
  CGI_HIDDEN,
  CGI_NEXT,
  passApplies,
  toUpstreamConf,
  upstreamRows,
} from '../upstream-directives.ts';
import { PathSplit, params, splitPattern, withCacheParams, withDefaults } from './fastcgi-params.ts';
import { fastcgiPass, groupAt, type Pass } from './fastcgi-pass.ts';

export const fastcgi = httpModule({
  name: 'http_fastcgi',
  directives: {
    ...upstreamRows('fastcgi', CGI_NEXT),
    fastcgi_pass: directive<Pass | undefined>(fastcgiPass, {
      in: ['location', 'if-in-location'],
      initial: undefined,
    }),
    fastcgi_index: directive(str, { in: ANYWHERE, initial: '' }),
    fastcgi_split_path_info: directive(splitPattern, { in: ANYWHERE, initial: undefined }),
    fastcgi_param: directive(params, { in: ANYWHERE, initial: [] }),
    fastcgi_catch_stderr: directive(strings, { in: ANYWHERE, initial: [] }),
    fastcgi_keep_conn: directive(flag, { in: ANYWHERE, initial: false }),
  },

  derive: (conf, scope) => ({
    upstream: toUpstreamConf(
      conf,
      { prefix: 'fastcgi', hidden: CGI_HIDDEN, tempFolder: scope.load.builtIn.fastcgiTemp },
      scope,
    ),
    split: new PathSplit(conf.fastcgi_split_path_info, conf.fastcgi_index),
  }),
  derived: ['upstream', 'split'],

  variables: {
    fastcgi_script_name: { get: (request) => splitOf(request).name(request.uri) },
    fastcgi_path_info: { get: (request) => splitOf(request).pathInfo(request.uri) },
  },

  content(conf, { build, scope }) {
    const pass = conf.fastcgi_pass;
    if (!pass || !passApplies(pass.scope, scope)) return undefined;
    const { upstream } = conf;
    const protocol = new FastcgiProtocol(
      { keep: conf.fastcgi_keep_conn, catchStderr: conf.fastcgi_catch_stderr },
      compileParams(withDefaults(conf.fastcgi_param, build), conf.passRequestHeaders),
      upstream.cache && compileParams(withCacheParams(conf.fastcgi_param, build), conf.passRequestHeaders),
    );
    const { ref, template } = pass;
    if (ref) return (request) => startUpstream(request, upstream, protocol, ref.group);
    return (request) => {
      const group = groupAt(request, template.text(request), build.upstreams);
      return typeof group === 'number' ? group : startUpstream(request, upstream, protocol, group);
    };
  },
});

const splitOf = (request: Request): PathSplit => request.location.confOf(fastcgi).split;
