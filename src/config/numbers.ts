/** Numbers, sizes and times as nginx writes them. Each gives undefined for what nginx refuses. */

// Beyond 2^53 a number is not exact; nginx's own limits are 2^63 and just as far from any sensible value.
const LARGEST = 2n ** 63n - 1n;

const whole = (digits: string, scale: bigint): number | undefined => {
  if (!/^[0-9]+$/.test(digits)) return undefined;
  const value = BigInt(digits) * scale;
  return value > LARGEST ? undefined : Number(value);
};

/** Decimal digits and nothing else. */
export const parseNumber = (text: string): number | undefined => whole(text, 1n);

const SCALES: Readonly<Record<string, bigint>> = { k: 1024n, m: 1024n ** 2n, g: 1024n ** 3n };

const scaled = (text: string, units: RegExp): number | undefined => {
  const unit = units.exec(text)?.[0].toLowerCase();
  return unit ? whole(text.slice(0, -1), SCALES[unit] ?? 1n) : whole(text, 1n);
};

/** Bytes, with `k` or `m` behind. */
export const parseSize = (text: string): number | undefined => scaled(text, /[km]$/i);

/** Bytes, with `k`, `m` or `g` behind. */
export const parseOffset = (text: string): number | undefined => scaled(text, /[kmg]$/i);

/** Units from the longest to the shortest: a time names each at most once, and in this order. */
const UNITS: readonly (readonly [name: string, milliseconds: bigint])[] = [
  ['y', 31_536_000_000n],
  ['M', 2_592_000_000n],
  ['w', 604_800_000n],
  ['d', 86_400_000n],
  ['h', 3_600_000n],
  ['m', 60_000n],
  ['s', 1000n],
  ['ms', 1n],
];

/** Milliseconds of `1h 30m`, `500ms`, `30`; `first` is the index of the longest unit that is allowed. */
const time = (text: string, first: number, last: number): bigint | undefined => {
  if (!/[0-9]/.test(text)) return undefined;
  let rest = text;
  let total = 0n;
  let index = first;
  while (rest !== '') {
    const [all = '', digits = '', unit = ''] = /^([0-9]*)(ms|[yMwdhms ])? */.exec(rest) ?? [];
    if (all === '') return undefined;
    // Seconds may go without a unit, and end what follows except milliseconds.
    const position = unit === '' || unit === ' ' ? 6 : UNITS.findIndex(([name]) => name === unit);
    const bare = unit === '';
    if (!bare && (position < index || position > last)) return undefined;
    total += BigInt(digits === '' ? 0 : digits) * (UNITS[position]?.[1] ?? 1n);
    index = unit === ' ' ? 8 : position + 1;
    rest = rest.slice(all.length);
    if (bare && rest !== '') return undefined;
  }
  return total > LARGEST ? undefined : total;
};

/** Milliseconds. Weeks are the longest unit. */
export const parseMsec = (text: string): number | undefined => {
  const value = time(text, 2, 7);
  return value === undefined ? undefined : Number(value);
};

/** Seconds. Years are the longest unit, seconds the shortest. */
export const parseSec = (text: string): number | undefined => {
  const value = time(text, 0, 6);
  return value === undefined ? undefined : Number(value / 1000n);
};
