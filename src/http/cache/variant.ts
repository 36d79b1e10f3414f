/** Which of the replies that Vary tells apart a request is for (RFC 9111 section 4.1). */
import { createHash } from 'node:crypto';
import type { Request } from '../request.ts';

/** Of these, only the words count, not how they are spaced. */
const NORMALIZED = new Set(['accept-charset', 'accept-encoding', 'accept-language']);

/** 16 bytes that stand for what the request's headers are, of those that `vary` names. */
export const variantOf = ({ headers }: Request, key: Buffer, vary: string): Buffer => {
  const hash = createHash('md5').update(key);
  for (const name of vary.toLowerCase().split(/[ ,]+/)) {
    if (name === '') continue;
    const values = headers.values.filter((_, index) => headers.names[index]?.lower === name);
    const parts = NORMALIZED.has(name) ? values.flatMap((value) => value.split(/[ ,]+/)) : values;
    const joined = NORMALIZED.has(name) ? parts.filter((part) => part !== '') : parts;
    hash.update(`${name}:${joined.join(',')}\r\n`, 'latin1');
  }
  return hash.digest();
};
