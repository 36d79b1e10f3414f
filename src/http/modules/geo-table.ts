/** What `geo` looks addresses up in: networks, of which the longest fits, or ranges. */
import type { Cidr } from './addresses.ts';

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

export class RangeTable {
  /** By start; they do not overlap. */
  readonly #ranges: Range[] = [];

  /** The index of the first range that ends at or behind `address`. */
  #from(address: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.end ?? 0) < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Adds a range, which may lie inside another. Answers the same range from before, or one that it overlaps. */
  add(range: Range): { readonly same?: Range; readonly overlapped?: Range } {
    const index = this.#from(range.start);
    const there = this.#ranges[index];
    if (!there || range.end < there.start) {
      this.#ranges.splice(index, 0, range);
      return {};
    }
    if (there.start === range.start && there.end === range.end) {
      this.#ranges[index] = range;
      return { same: there };
    }
    if (range.start < there.start || range.end > there.end) return { overlapped: there };
    const pieces = [range];
    if (there.start < range.start) pieces.unshift({ ...there, end: range.start - 1 });
    if (there.end > range.end) pieces.push({ ...there, start: range.end + 1 });
    this.#ranges.splice(index, 1, ...pieces);
    return {};
  }

  delete({ start, end }: Pick<Range, 'start' | 'end'>): boolean {
    const index = this.#from(start);
    const there = this.#ranges[index];
    if (there?.start !== start || there.end !== end) return false;
    this.#ranges.splice(index, 1);
    return true;
  }

  find(address: number): string | undefined {
    const there = this.#ranges[this.#from(address)];
    return there && there.start <= address ? there.value : undefined;
  }
}
