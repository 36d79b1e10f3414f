/** memcached's text protocol as a client: `get KEY`, and the value that comes back. One object per location. */
import type { Request } from '../../../http/request.ts';
import { logRequest } from '../../../http/request-log.ts';
import type { Template } from '../../../http/template.ts';
import { ERROR } from '../../../log/levels.ts';
import type { Protocol } from '../../contract.ts';
import type { Upstream } from '../../upstream.ts';
import { MemcachedReply } from './reply.ts';

const SPACE = 0x20;
const PERCENT = 0x25;

/** Controls, the space and the percent sign can't stand in a key as they are. */
const escapeKey = (key: string): string => {
  let escaped = '';
  for (let i = 0; i < key.length; i++) {
    const code = key.charCodeAt(i);
    escaped +=
      code <= SPACE || code === PERCENT
        ? `%${code.toString(16).toUpperCase().padStart(2, '0')}`
        : key.charAt(i);
  }
  return escaped;
};

export class MemcachedProtocol implements Protocol {
  readonly scheme = 'memcached://';
  readonly plainBody = true;
  readonly rewriteRedirect = undefined;
  readonly rewriteCookie = undefined;

  constructor(
    /** `$memcached_key`. */
    readonly key: Template,
    /** `memcached_gzip_flag`. */
    readonly gzipFlag: number,
  ) {}

  uri(): string {
    return '';
  }

  head(request: Request): string | undefined {
    const key = this.key.text(request);
    if (key !== '') return `get ${escapeKey(key)}\r\n`;
    logRequest(request, ERROR, 'the "$memcached_key" variable is not set');
    return undefined;
  }

  bodyPiece(): readonly Uint8Array[] {
    return [];
  }

  reply(_request: Request, upstream: Upstream): MemcachedReply {
    return new MemcachedReply(upstream, upstream.text.slice(4, -2), this.gzipFlag);
  }
}
