/** Replies out of memcached (ngx_http_memcached): `memcached_pass`, by the key in `$memcached_key`. */
import { directive, type Parser } from '../../config/contract.ts';
import { num, wordsOf } from '../../config/parsers.ts';
import { NEXT, type UpstreamConf } from '../../upstream/contract.ts';
import { MemcachedProtocol } from '../../upstream/protocols/memcached/protocol.ts';
import type { GroupRef } from '../../upstream/registry.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { HTTP } from '../build.ts';
import { setContentType } from '../content-type.ts';
import { httpModule } from '../module.ts';
import type { Template } from '../template.ts';
import { unbuffered, unbufferedRows } from '../unbuffered-upstream.ts';
import { ANYWHERE, passApplies } from '../upstream-directives.ts';
import { fastcgiPass, type Pass } from './fastcgi-pass.ts';

const METHOD_NOT_ALLOWED = 405;

/** The words of `memcached_next_upstream`. */
const REASONS = {
  error: NEXT.error,
  timeout: NEXT.timeout,
  invalid_response: NEXT.invalid_header,
  not_found: NEXT.http_404,
  off: NEXT.off,
} as const;
type ReasonWord = keyof typeof REASONS;

interface MemcachedPass {
  readonly pass: Pass;
  readonly ref: GroupRef;
  readonly key: Template;
}

/** `memcached_pass ADDRESS`; no variables but that of the key. */
const memcachedPass: Parser<MemcachedPass | undefined> = {
  arity: 1,
  parse(args, own) {
    const build = args.scope.need(HTTP);
    const text = args.texts[0] ?? '';
    const key = build.template('$memcached_key', args.place);
    const ref = build.upstreams.use(text, 0, args.place);
    const pass = fastcgiPass.parse(args, own?.pass);
    return pass && { pass, ref, key };
  },
};

const bits = (words: readonly ReasonWord[]): number => {
  let mask = 0;
  for (const word of words) mask |= REASONS[word];
  return (mask & NEXT.off) !== 0 ? NEXT.off : mask;
};

export const memcached = httpModule({
  name: 'http_memcached',
  directives: {
    ...unbufferedRows('memcached', ['error', 'timeout', 'off']),
    memcached_next_upstream: directive<readonly ReasonWord[]>(
      wordsOf('error', 'timeout', 'invalid_response', 'not_found', 'off'),
      { in: ANYWHERE, initial: ['error', 'timeout'] },
    ),
    memcached_gzip_flag: directive(num(), { in: ANYWHERE, initial: 0 }),
    memcached_pass: directive<MemcachedPass | undefined>(memcachedPass, {
      in: ['location', 'if-in-location'],
      initial: undefined,
    }),
  },
  content(conf, { scope }) {
    const written = conf.memcached_pass;
    if (!written || !passApplies(written.pass.scope, scope)) return undefined;
    const upstream: UpstreamConf = {
      ...unbuffered(conf, bits(conf.memcached_next_upstream)),
      interceptErrors: true,
      forceRanges: true,
      fixedBuffering: true,
      intercept404: true,
    };
    const protocol = new MemcachedProtocol(written.key, conf.memcached_gzip_flag);
    const { ref } = written;
    return (request) => {
      if (request.method !== 'GET' && request.method !== 'HEAD') return METHOD_NOT_ALLOWED;
      setContentType(request);
      return startUpstream(request, upstream, protocol, ref.group);
    };
  },
});
