/** What `geo` looks addresses up in: networks, of which the longest fits, or ranges. */
import type { Cidr } from '../net/addresses.ts';

/** Values of networks of one family, by the bytes of the network. */
class Networks {
  /** By the number of bits that count, the longest first. */
  #byBits: (readonly [number, Map<string, string>])[] = [];

  /** Sets a network's value and gives the one before. */
  set({ bytes, bits }: Cidr, value: string): string | undefined {
    let networks = this.#byBits.find(([own]) => own === bits)?.[1];
    if (!networks) {
      networks = new Map();
      this.#byBits = [...this.#byBits, [bits, networks] as const].sort(([a], [b]) => b - a);
    }
    const name = String.fromCharCode(...bytes);
    const before = networks.get(name);
    networks.set(name, value);
    return before;
  }

  delete({ bytes, bits }: Cidr): boolean {
    return this.#byBits.find(([own]) => own === bits)?.[1].delete(String.fromCharCode(...bytes)) === true;
  }

  find(address: readonly number[]): string | undefined {
    for (const [bits, networks] of this.#byBits) {
      let name = '';
      for (let i = 0; i < address.length; i++) {
        const here = Math.min(8, Math.max(0, bits - i * 8));
        name += String.fromCharCode((address[i] ?? 0) & (0xff << (8 - here)) & 0xff);
      }
      const value = networks.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

export class NetworkTable {
  readonly #v4 = new Networks();
  readonly #v6 = new Networks();

  #of(length: number): Networks {
    return length === 4 ? this.#v4 : this.#v6;
  }

  set(network: Cidr, value: string): string | undefined {
    return this.#of(network.bytes.length).set(network, value);
  }

  delete(network: Cidr): boolean {
    return this.#of(network.bytes.length).delete(network);
  }

  find(address: readonly number[]): string | undefined {
    return this.#of(address.length).find(address);
  }
}

/** Addresses of IPv4 as numbers, both ends included. */
export interface Range {
  readonly start: number;
  readonly end: number;
  readonly value: string;
}

/** What there was against adding a range: the value that it had before, or a range that it overlaps. */
export interface RangeClash {
  readonly old?: string;
  readonly overlapped?: Range;
}

const BLOCK = 0x10000;

/** As in nginx, ranges are kept apart in each block of 65536 addresses, and compared there. */
export class RangeTable {
  /** By the upper half of the address; each list is by start, without overlaps. */
  readonly #blocks = new Map<number, Range[]>();

  /** Adds a range, which may lie inside another. Stops at the first overlap. */
  add({ start, end, value }: Range): readonly RangeClash[] {
    const clashes: RangeClash[] = [];
    for (let from = start; from <= end; from = (Math.floor(from / BLOCK) + 1) * BLOCK) {
      const upper = Math.floor(from / BLOCK);
      let ranges = this.#blocks.get(upper);
      if (!ranges) this.#blocks.set(upper, (ranges = []));
      const clash = addTo(ranges, { start: from, end: Math.min(end, upper * BLOCK + BLOCK - 1), value });
      if (clash) clashes.push(clash);
      if (clash?.overlapped) return clashes;
    }
    return clashes;
  }

  /** Takes ranges with just these ends away; false when a block had none. */
  delete({ start, end }: Pick<Range, 'start' | 'end'>): boolean {
    let all = true;
    for (let from = start; from <= end; from = (Math.floor(from / BLOCK) + 1) * BLOCK) {
      const upper = Math.floor(from / BLOCK);
      const to = Math.min(end, upper * BLOCK + BLOCK - 1);
      const ranges = this.#blocks.get(upper) ?? [];
      const index = ranges.findIndex((range) => range.start === from && range.end === to);
      if (index < 0) all = false;
      else ranges.splice(index, 1);
    }
    return all;
  }

  find(address: number): string | undefined {
    const ranges = this.#blocks.get(Math.floor(address / BLOCK));
    if (!ranges) return undefined;
    let [low, high] = [0, ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((ranges[middle]?.end ?? 0) < address) low = middle + 1;
      else high = middle;
    }
    const there = ranges[low];
    return there && there.start <= address ? there.value : undefined;
  }
}

/** Adds a range to those of its block. */
const addTo = (ranges: Range[], range: Range): RangeClash | undefined => {
  const index = ranges.findLastIndex(({ start }) => start <= range.end);
  const there = ranges[index];
  if (!there || there.end < range.start) {
    ranges.splice(index + 1, 0, range);
    return undefined;
  }
  if (there.start === range.start && there.end === range.end) {
    ranges[index] = range;
    return { old: there.value };
  }
  if (range.start < there.start || range.end > there.end) return { overlapped: there };
  const pieces = [range];
  if (there.start < range.start) pieces.unshift({ ...there, end: range.start - 1 });
  if (there.end > range.end) pieces.push({ ...there, start: range.end + 1 });
  ranges.splice(index, 1, ...pieces);
  return undefined;
};
