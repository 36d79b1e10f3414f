/** `geo`: a variable whose value is looked up by an address. The blocks of protocols make their rows with it. */
import { type Args, block, type Context, key, type Scope } from '../config/contract.ts';
import { wordAt } from '../config/parsers.ts';
import { addressBytes, type Cidr, parseCidr, unmapped } from '../net/addresses.ts';
import { NetworkTable, RangeTable } from './geo-table.ts';
import type { Values } from './values.ts';
import type { Subject, VariableRef } from './variables.ts';

/** What clients of unix sockets, and values that are no address, are looked up as. */
const NO_ADDRESS: readonly number[] = [255, 255, 255, 255];

const numberOf = ([a = 0, b = 0, c = 0, d = 0]: readonly number[]): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;

/** How a protocol knows addresses. */
export interface GeoSource<R> {
  /** The client's address; '' for one of a unix socket. */
  address(request: R): string;
  /** The address that trusted proxies name for the client's; a protocol without it knows no `proxy` rows. */
  forwarded?(
    request: R,
    address: readonly number[],
    proxies: readonly Cidr[],
    recursive: boolean,
  ): readonly number[];
}

class Geo<R extends Subject> {
  readonly networks = new NetworkTable();
  ranges: RangeTable | undefined = undefined;
  rows = 0;
  fallback: string | undefined = undefined;
  recursive = false;
  volatile = false;
  readonly proxies: Cidr[] = [];

  constructor(
    readonly by: GeoSource<R>,
    readonly source: VariableRef<R> | undefined,
    readonly variable: string,
  ) {}

  value(request: R): string {
    const address = unmapped(this.#address(request));
    const found = this.ranges
      ? this.ranges.find(numberOf(address.length === 4 ? address : NO_ADDRESS))
      : this.networks.find(address);
    return found ?? this.fallback ?? '';
  }

  #address(request: R): readonly number[] {
    const { by, proxies } = this;
    const text = this.source ? (this.source.get(request) ?? '') : by.address(request);
    const address = addressBytes(text) ?? NO_ADDRESS;
    if (proxies.length === 0) return address;
    return by.forwarded?.(request, address, proxies, this.recursive) ?? address;
  }
}

/** What rows fill, whoever asks. */
type Rows = Omit<Geo<never>, 'value'>;

const bareName = (args: Args, index: number): string => {
  const word = wordAt(args, index);
  return word.text.startsWith('$')
    ? word.text.slice(1)
    : args.fail(`invalid variable name "${word.text}"`, word);
};

const parseRange = (text: string): { start: number; end: number } | undefined => {
  const [first = '', last = '', more] = text.split('-');
  const [start, end] = [addressBytes(first), addressBytes(last)];
  if (more !== undefined || start?.length !== 4 || end?.length !== 4) return undefined;
  const range = { start: numberOf(start), end: numberOf(end) };
  return range.start <= range.end ? range : undefined;
};

const dotted = (n: number): string => [n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff].join('.');

const rangeRow = (row: Args, geo: Rows, ranges: RangeTable, value: string): void => {
  const { name } = row;
  if (name === 'default') {
    if (geo.fallback !== undefined) {
      row.warn(`duplicate default geo range value: "${value}", old value: "${geo.fallback}"`);
    }
    geo.fallback = value;
    return;
  }
  const text = name === 'delete' ? value : name;
  const range = parseRange(text) ?? row.fail(`invalid range "${text}"`);
  if (name === 'delete') {
    if (!ranges.delete(range)) row.warn(`no address range "${text}" to delete`);
    return;
  }
  for (const { old, overlapped } of ranges.add({ ...range, value })) {
    if (old !== undefined) row.warn(`duplicate range "${text}", value: "${value}", old value: "${old}"`);
    if (overlapped) {
      row.fail(`range "${text}" overlaps "${dotted(overlapped.start)}-${dotted(overlapped.end)}"`);
    }
  }
};

const networkOf = (row: Args, text: string): Cidr => {
  const network = parseCidr(text === '255.255.255.255' ? `${text}/32` : text);
  if (!network) return row.fail(`invalid network "${text}"`);
  if (network.strayBits) row.warn(`low address bits of ${text} are meaningless`);
  return network;
};

const networkRow = (row: Args, geo: Rows, value: string): void => {
  const { name } = row;
  if (name === 'delete') {
    if (!geo.networks.delete(networkOf(row, value))) row.warn(`no network "${value}" to delete`);
    return;
  }
  if (name === 'default') {
    if (geo.fallback !== undefined) {
      // nginx says it for each family of addresses.
      const warning = `duplicate network "default", value: "${value}", old value: "${geo.fallback}"`;
      row.warn(warning);
      row.warn(warning);
    }
    geo.fallback = value;
    return;
  }
  const before = geo.networks.set(networkOf(row, name), value);
  if (before !== undefined)
    row.warn(`duplicate network "${name}", value: "${value}", old value: "${before}"`);
};

const fill = (row: Args, geo: Rows, proxied: boolean): void => {
  const { name } = row;
  if (row.words.length === 0 && name === 'ranges') {
    if (geo.rows > 0) row.fail('the "ranges" directive must be the first directive inside "geo" block');
    geo.ranges = new RangeTable();
  } else if (row.words.length === 0 && name === 'proxy_recursive' && proxied) geo.recursive = true;
  else if (row.words.length === 0 && name === 'volatile') geo.volatile = true;
  else if (row.words.length !== 1) row.fail('invalid number of the geo parameters');
  else if (name === 'proxy' && proxied) geo.proxies.push(networkOf(row, wordAt(row, 0).text));
  else {
    const value = wordAt(row, 0).text;
    geo.rows += 1;
    if (geo.ranges) rangeRow(row, geo, geo.ranges, value);
    else networkRow(row, geo, value);
  }
};

/** The rows of a module for the block that `context` names; `valuesOf` finds its values. */
export const geoRows = <R extends Subject>(
  context: Context,
  valuesOf: (scope: Scope) => Values<R>,
  source: GeoSource<R>,
) => {
  const geoKey = key<Geo<R>>('a geo');
  const proxied = source.forwarded !== undefined;

  const begin = (args: Args, inner: Scope): void => {
    const { variables } = valuesOf(args.scope);
    const sourced = args.words.length === 2;
    const ref = sourced ? variables.use(bareName(args, 0), args.place) : undefined;
    const name = bareName(args, sourced ? 1 : 0);
    variables.definable(name, args.place);
    inner.carry(geoKey, new Geo(source, ref, name));
  };

  const end = (args: Args, inner: Scope): void => {
    const geo = inner.need(geoKey);
    const get = (request: R): string => geo.value(request);
    valuesOf(inner).variables.define(
      geo.variable,
      { get, cached: !geo.volatile, changeable: true },
      args.place,
    );
  };

  return {
    geo: block({
      in: [context],
      arity: [1, 2],
      repeats: true,
      child: 'rows',
      begin,
      row: (row, inner) => fill(row, inner.need(geoKey), proxied),
      end,
    }),
  };
};
