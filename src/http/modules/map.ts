/** `map`: a variable whose value is looked up by another value (ngx_http_map). */
import { type Args, block, key, type Scope, statement } from '../../config/contract.ts';
import { num, wordAt } from '../../config/parsers.ts';
import { HTTP, type Regex } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { HostTable, isWildcard } from './host-table.ts';

/** A map while its rows are read, and then. */
class MapTable {
  hostnames = false;
  volatile = false;
  fallback: Template | undefined = undefined;
  readonly exact = new Map<string, Template>();
  readonly hosts = new HostTable<Template>();
  readonly regexes: { readonly regex: Regex; readonly value: Template }[] = [];
  /** Rows with equal values share one. */
  readonly values = new Map<string, Template>();

  constructor(
    readonly source: Template,
    readonly variable: string,
  ) {}

  value(request: Request): string {
    const text = this.source.text(request);
    return (this.#find(request, text) ?? this.fallback)?.text(request) ?? '';
  }

  #find(request: Request, source: string): Template | undefined {
    const text = this.hostnames && source.endsWith('.') ? source.slice(0, -1) : source;
    if (this.exact.size > 0 || this.hostnames) {
      const lower = text.toLowerCase();
      const found =
        this.exact.get(lower) ?? (this.hostnames && text !== '' ? this.hosts.find(lower) : undefined);
      if (found) return found;
    }
    if (text === '') return undefined;
    for (const { regex, value } of this.regexes) if (regex.match(request, text)) return value;
    return undefined;
  }
}

const TABLE = key<MapTable>('a map');

const begin = (args: Args, inner: Scope): void => {
  const build = args.scope.need(HTTP);
  const [source, name] = [wordAt(args, 0), wordAt(args, 1)];
  const template = build.template(source.text, args.place);
  if (name.text.length < 2 || !name.text.startsWith('$'))
    args.fail(`invalid variable name "${name.text}"`, name);
  build.variables.definable(name.text.slice(1), args.place);
  inner.carry(TABLE, new MapTable(template, name.text.slice(1)));
};

const templateFor = (row: Args, table: MapTable): Template => {
  const { text } = wordAt(row, 0);
  let value = table.values.get(text);
  if (!value) {
    value = row.scope.need(HTTP).template(text, row.place);
    table.values.set(text, value);
  }
  return value;
};

const addRow = (row: Args, inner: Scope): void => {
  const table = inner.need(TABLE);
  const { name } = row;
  if (row.words.length === 0 && name === 'hostnames') table.hostnames = true;
  else if (row.words.length === 0 && name === 'volatile') table.volatile = true;
  else if (row.words.length !== 1) row.fail('invalid number of the map parameters');
  else addValue(row, table, name, templateFor(row, table));
};

const addValue = (row: Args, table: MapTable, name: string, value: Template): void => {
  if (name === 'default') {
    if (table.fallback) row.fail('duplicate default map parameter');
    table.fallback = value;
    return;
  }
  if (name.startsWith('~')) {
    const caseless = name.startsWith('~*');
    const regex = row.scope.need(HTTP).regex(name.slice(caseless ? 2 : 1), caseless, row.place);
    table.regexes.push({ regex, value });
    return;
  }
  const wanted = (name.startsWith('\\') ? name.slice(1) : name).toLowerCase();
  if (table.hostnames && isWildcard(wanted)) {
    const problem = table.hosts.add(wanted, value);
    if (problem === 'invalid') row.fail(`invalid hostname or wildcard "${wanted}"`);
    if (problem === 'conflict') row.fail(`conflicting parameter "${wanted}"`);
    return;
  }
  if (table.exact.has(wanted) || (table.hostnames && table.hosts.holds(wanted))) {
    row.fail(`conflicting parameter "${wanted}"`);
  }
  table.exact.set(wanted, value);
};

const complete = (args: Args, inner: Scope): void => {
  const table = inner.need(TABLE);
  const get = (request: Request): string => table.value(request);
  inner
    .need(HTTP)
    .variables.define(table.variable, { get, cached: !table.volatile, changeable: true }, args.place);
};

const hashSize = statement({
  in: ['http'],
  arity: 1,
  run: (args) => {
    num().parse(args, undefined);
  },
});

export const mapModule = httpModule({
  name: 'http_map',
  directives: {
    map: block({ in: ['http'], arity: 2, repeats: true, child: 'rows', begin, row: addRow, end: complete }),
    map_hash_max_size: hashSize,
    map_hash_bucket_size: hashSize,
  },
});
