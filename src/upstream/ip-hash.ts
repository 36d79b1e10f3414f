/** `ip_hash`: clients of one network (the first three bytes of an IPv4 address) stay at one peer. */
import type { Request } from '../http/request.ts';
import type { Balance } from './group.ts';
import { HashedSource } from './hashed.ts';
import type { Peers } from './peers.ts';

/** The bytes that are hashed: three of IPv4, all sixteen of IPv6, zeros for a unix socket. */
export const hashedBytes = (address: string): readonly number[] => {
  if (address.includes(':')) return v6Bytes(address);
  const parts = address.split('.').map(Number);
  return parts.length === 4 ? parts.slice(0, 3) : [0, 0, 0];
};

const v6Bytes = (address: string): readonly number[] => {
  const [head = '', tail] = address.replace(/%.*$/, '').split('::');
  const words = (text: string): number[] =>
    text === ''
      ? []
      : text.split(':').flatMap((word) => (word.includes('.') ? v4Words(word) : [Number.parseInt(word, 16)]));
  const first = words(head);
  const last = tail === undefined ? [] : words(tail);
  const all = [...first, ...new Array<number>(Math.max(0, 8 - first.length - last.length)).fill(0), ...last];
  return all.flatMap((word) => [word >> 8, word & 0xff]);
};

const v4Words = (text: string): number[] => {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
};

class IpHashSource extends HashedSource {
  readonly #bytes: readonly number[];
  #hash = 89;

  constructor(request: Request, primary: Peers, backup: Peers | undefined) {
    super(request, primary, backup);
    this.#bytes = hashedBytes(request.stream.unix ? '' : request.stream.remoteAddress);
  }

  protected override nextHash(): number {
    for (const byte of this.#bytes) this.#hash = (this.#hash * 113 + byte) % 6271;
    return this.#hash;
  }
}

export const ipHash: Balance = (request, primary, backup) => new IpHashSource(request, primary, backup);
