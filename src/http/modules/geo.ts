/** `geo`: a variable whose value is looked up by the client's address (ngx_http_geo). */
import { type Args, block, key, type Scope } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { addressBytes, type Cidr, parseCidr, unmapped } from '../../net/addresses.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import type { VariableRef } from '../variables.ts';
import { forwardedAddress, isTrusted } from './forwarded.ts';
import { NetworkTable, RangeTable } from './geo-table.ts';

/** What clients of unix sockets, and values that are no address, are looked up as. */
const NO_ADDRESS: readonly number[] = [255, 255, 255, 255];

const numberOf = ([a = 0, b = 0, c = 0, d = 0]: readonly number[]): number =>
  ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;

class Geo {
  readonly networks = new NetworkTable();
  ranges: RangeTable | undefined = undefined;
  rows = 0;
  fallback: string | undefined = undefined;
  recursive = false;
  volatile = false;
  readonly proxies: Cidr[] = [];

  constructor(
    readonly source: VariableRef | undefined,
    readonly variable: string,
  ) {}

  value(request: Request): string {
    const address = unmapped(this.#address(request));
    const found = this.ranges
      ? this.ranges.find(numberOf(address.length === 4 ? address : NO_ADDRESS))
      : this.networks.find(address);
    return found ?? this.fallback ?? '';
  }

  #address(request: Request): readonly number[] {
    const { stream } = request;
    const text = this.source ? (this.source.get(request) ?? '') : stream.unix ? '' : stream.remoteAddress;
    const address = addressBytes(text) ?? NO_ADDRESS;
    if (this.proxies.length === 0) return address;
    const { names, values } = request.headers;
    const lines = values.filter((_, index) => names[index]?.lower === 'x-forwarded-for');
    const trusted = isTrusted(address, this.proxies);
    return forwardedAddress(trusted, lines, this.proxies, this.recursive)?.bytes ?? address;
  }
}

const GEO = key<Geo>('a geo');

const bareName = (args: Args, index: number): string => {
  const word = wordAt(args, index);
  return word.text.startsWith('$')
    ? word.text.slice(1)
    : args.fail(`invalid variable name "${word.text}"`, word);
};

const begin = (args: Args, inner: Scope): void => {
  const { variables } = args.scope.need(HTTP);
  const sourced = args.words.length === 2;
  const source = sourced ? variables.use(bareName(args, 0), args.place) : undefined;
  const name = bareName(args, sourced ? 1 : 0);
  variables.definable(name, args.place);
  inner.carry(GEO, new Geo(source, name));
};

const parseRange = (text: string): { start: number; end: number } | undefined => {
  const [first = '', last = '', more] = text.split('-');
  const [start, end] = [addressBytes(first), addressBytes(last)];
  if (more !== undefined || start?.length !== 4 || end?.length !== 4) return undefined;
  const range = { start: numberOf(start), end: numberOf(end) };
  return range.start <= range.end ? range : undefined;
};

const dotted = (n: number): string => [n >>> 24, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff].join('.');

const rangeRow = (row: Args, geo: Geo, ranges: RangeTable, value: string): void => {
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

const networkRow = (row: Args, geo: Geo, value: string): void => {
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

const addRow = (row: Args, inner: Scope): void => {
  const geo = inner.need(GEO);
  const { name } = row;
  if (row.words.length === 0 && name === 'ranges') {
    if (geo.rows > 0) row.fail('the "ranges" directive must be the first directive inside "geo" block');
    geo.ranges = new RangeTable();
  } else if (row.words.length === 0 && name === 'proxy_recursive') geo.recursive = true;
  else if (row.words.length === 0 && name === 'volatile') geo.volatile = true;
  else if (row.words.length !== 1) row.fail('invalid number of the geo parameters');
  else if (name === 'proxy') geo.proxies.push(networkOf(row, wordAt(row, 0).text));
  else {
    const value = wordAt(row, 0).text;
    geo.rows += 1;
    if (geo.ranges) rangeRow(row, geo, geo.ranges, value);
    else networkRow(row, geo, value);
  }
};

const complete = (args: Args, inner: Scope): void => {
  const geo = inner.need(GEO);
  const get = (request: Request): string => geo.value(request);
  inner
    .need(HTTP)
    .variables.define(geo.variable, { get, cached: !geo.volatile, changeable: true }, args.place);
};

export const geoModule = httpModule({
  name: 'http_geo',
  directives: {
    geo: block({
      in: ['http'],
      arity: [1, 2],
      repeats: true,
      child: 'rows',
      begin,
      row: addRow,
      end: complete,
    }),
  },
});
