/** `secure_link`: links that hold a hash of what they allow, and until when (ngx_http_secure_link). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Context, directive } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { str } from '../../config/parsers.ts';
import { httpModule } from '../module.ts';
import { template } from '../parsers.ts';
import { contextKey, type Request } from '../request.ts';
import type { Template } from '../template.ts';
import type { Value } from '../variables.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const EXPIRES = contextKey<string>('secure_link');

const md5 = (text: string): Buffer => createHash('md5').update(Buffer.from(text, 'latin1')).digest();

/** `secure_link` with `secure_link_md5`: '1' for a good link, '0' for one that is over. */
const check = (request: Request, link: Template, hashed: Template): Value => {
  const text = link.text(request);
  const comma = text.indexOf(',');
  let until = 0;
  if (comma >= 0) {
    const expires = text.slice(comma + 1);
    until = parseNumber(expires) ?? 0;
    if (until <= 0) return undefined;
    request.setContext(EXPIRES, expires);
  }
  const given = comma < 0 ? text : text.slice(0, comma);
  if (given.length > 24 || !/^[A-Za-z0-9_-]*=*$/.test(given)) return undefined;
  const hash = Buffer.from(given, 'base64url');
  if (hash.length !== 16 || !timingSafeEqual(hash, md5(hashed.text(request)))) return undefined;
  return until > 0 && until < Math.floor(Date.now() / 1000) ? '0' : '1';
};

/** `secure_link_secret`: the link behind `/prefix/hash/`, when the hash is right. */
const checkSecret = (request: Request, secret: string): Value => {
  const [, hash, link] = /^.[^/]*\/([^/]*)\/(.*)$/s.exec(request.target) ?? [];
  if (hash === undefined || !link || !/^[0-9A-Fa-f]{32}$/.test(hash)) return undefined;
  return timingSafeEqual(Buffer.from(hash, 'hex'), md5(link + secret)) ? link : undefined;
};

export const secureLinkModule = httpModule({
  name: 'http_secure_link',
  directives: {
    secure_link: directive<Template | undefined>(template, { in: WHERE, initial: undefined }),
    secure_link_md5: directive<Template | undefined>(template, { in: WHERE, initial: undefined }),
    secure_link_secret: directive<string | undefined>(str, { in: WHERE, initial: undefined }),
  },
  variables: {
    secure_link: {
      cached: true,
      get(request) {
        const conf = request.location.confOf(secureLinkModule);
        if (conf.secure_link_secret !== undefined) return checkSecret(request, conf.secure_link_secret);
        const { secure_link: link, secure_link_md5: hashed } = conf;
        return link && hashed ? check(request, link, hashed) : undefined;
      },
    },
    secure_link_expires: { get: (request) => request.context(EXPIRES) },
  },
});
