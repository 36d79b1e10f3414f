/** uwsgi: requests passed on to servers that speak it, over TLS too (ngx_http_uwsgi). */
import { directive, type Parser } from '../../config/contract.ts';
import { num, str, wordAt } from '../../config/parsers.ts';
import type { PeerTls } from '../../upstream/contract.ts';
import { UWSGI_PAIRS, UwsgiProtocol } from '../../upstream/protocols/cgi/protocol.ts';
import { compileParams } from '../../upstream/protocols/fastcgi/params.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import { ANYWHERE, CGI_NEXT, passApplies, toUpstreamConf, upstreamRows } from '../upstream-directives.ts';
import { params, withCacheParams, withDefaults } from './fastcgi-params.ts';
import { groupAt, type Pass } from './fastcgi-pass.ts';
import { peerTlsRows, toPeerTls } from './upstream-ssl.ts';

/** Lines of a reply that are for this program, not for its client. */
const HIDDEN = [
  'X-Accel-Expires',
  'X-Accel-Redirect',
  'X-Accel-Limit-Rate',
  'X-Accel-Buffering',
  'X-Accel-Charset',
];

const SCHEME = /^(s?)uwsgi:\/\//i;

interface UwsgiPass extends Pass {
  /** Some of its requests go to peers over TLS. */
  readonly tls: boolean;
}

/** `uwsgi_pass [uwsgi:// | suwsgi://]ADDRESS`. */
const uwsgiPass: Parser<UwsgiPass | undefined> = {
  arity: 1,
  parse(args) {
    const { scope, place } = args;
    const build = scope.need(HTTP);
    const { text } = wordAt(args, 0);
    const template = build.template(text, place);
    if (text.includes('$')) return { scope, template, ref: undefined, tls: true };
    const location = build.locations.get(scope);
    if (location?.name.endsWith('/')) location.autoRedirect = true;
    const [scheme = '', secure = ''] = SCHEME.exec(text) ?? [];
    const ref = build.upstreams.use(text.slice(scheme.length), 0, place);
    return { scope, template, ref, tls: secure !== '' };
  },
};

export const uwsgi = httpModule({
  name: 'http_uwsgi',
  directives: {
    ...upstreamRows('uwsgi', CGI_NEXT),
    ...peerTlsRows('uwsgi'),
    uwsgi_pass: directive<UwsgiPass | undefined>(uwsgiPass, {
      in: ['location', 'if-in-location'],
      initial: undefined,
    }),
    uwsgi_param: directive(params, { in: ANYWHERE, initial: [] }),
    uwsgi_modifier1: directive(num({ min: 0, max: 255 }), { in: ANYWHERE, initial: 0 }),
    uwsgi_modifier2: directive(num({ min: 0, max: 255 }), { in: ANYWHERE, initial: 0 }),
    uwsgi_string: directive(str, { in: ANYWHERE, initial: '' }),
  },
  derive(conf, scope) {
    const own = { prefix: 'uwsgi', hidden: HIDDEN, tempFolder: scope.load.builtIn.uwsgiTemp };
    const pass = conf.uwsgi_pass;
    const secure = pass?.tls === true && passApplies(pass.scope, scope);
    const tls: PeerTls | 'none' = secure ? toPeerTls(conf, 'uwsgi', scope) : 'none';
    return { upstream: toUpstreamConf(conf, own, scope), tls };
  },
  derived: ['upstream', 'tls'],
  content(conf, { build, scope }) {
    const pass = conf.uwsgi_pass;
    if (!pass || !passApplies(pass.scope, scope)) return undefined;
    const { upstream, passRequestHeaders: headers } = conf;
    const own = compileParams(withDefaults(conf.uwsgi_param, build), headers, UWSGI_PAIRS);
    const settings = {
      params: own,
      cacheParams: upstream.cache
        ? compileParams(withCacheParams(conf.uwsgi_param, build), headers, UWSGI_PAIRS)
        : own,
      modifiers: [conf.uwsgi_modifier1, conf.uwsgi_modifier2] as const,
      string: conf.uwsgi_string,
    };
    const secure = conf.tls === 'none' ? undefined : new UwsgiProtocol(settings, conf.tls);
    const plain = new UwsgiProtocol(settings, undefined);
    const { ref, template } = pass;
    if (ref) return (request) => startUpstream(request, upstream, secure ?? plain, ref.group);
    return (request) => {
      const text = template.text(request);
      const [scheme = '', s = ''] = SCHEME.exec(text) ?? [];
      const group = groupAt(request, text.slice(scheme.length), build.upstreams);
      if (typeof group === 'number') return group;
      return startUpstream(request, upstream, (s === '' ? undefined : secure) ?? plain, group);
    };
  },
});
