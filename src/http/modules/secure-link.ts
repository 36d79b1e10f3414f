/** `secure_link`: links that hold a hash of what they allow, and until when (ngx_http_secure_link). */
import { createHash, timingSafeEqual } from 'node:crypto';
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
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

/** What a level says; a secret of its own stands against a link and its hash from outside. */
interface Links {
  readonly link: Template | undefined;
  readonly hashed: Template | undefined;
  readonly secret: string | undefined;
}
const NO_LINKS: Links = { link: undefined, hashed: undefined, secret: undefined };

const links: Parser<Links> = {
  arity: 1,
  repeats: true,
  parse(args, own = NO_LINKS) {
    const part = args.name === 'secure_link' ? 'link' : args.name === 'secure_link_md5' ? 'hashed' : 'secret';
    if (own[part] !== undefined) args.failDirective('is duplicate');
    const value = part === 'secret' ? wordAt(args, 0).text : templateAt(args, 0);
    const now: Links = { ...own, [part]: value };
    if (now.secret !== undefined && (now.link || now.hashed)) {
      args.fail('"secure_link_secret" cannot be mixed with "secure_link" and "secure_link_md5"');
    }
    return now;
  },
};

const mergeLinks = (own: Links | undefined, outer: Links): Links => {
  if (!own || own.secret !== undefined) return own ?? outer;
  return { link: own.link ?? outer.link, hashed: own.hashed ?? outer.hashed, secret: undefined };
};

const linkValue = (request: Request): Value => {
  const { link, hashed, secret } = request.location.confOf(secureLinkModule).links;
  if (secret !== undefined) return checkSecret(request, secret);
  return link && hashed ? check(request, link, hashed) : undefined;
};

export const secureLinkModule = httpModule({
  name: 'http_secure_link',
  directives: {
    links: directive<Links>(links, {
      in: WHERE,
      names: ['secure_link', 'secure_link_md5', 'secure_link_secret'],
      initial: NO_LINKS,
      merge: mergeLinks,
    }),
  },
  variables: {
    secure_link: {
      cached: true,
      get: linkValue,
    },
    secure_link_expires: { get: (request) => request.context(EXPIRES) },
  },
});
