/** `map`: a variable whose value is looked up by another value. The blocks of protocols make their rows with it. */
import { type Args, block, type Context, key, type Scope, statement } from '../config/contract.ts';
import { num, wordAt } from '../config/parsers.ts';
import { HostTable, isWildcard } from './host-table.ts';
import type { Regex } from './regex.ts';
import type { Template } from './template.ts';
import type { Values } from './values.ts';
import type { Subject } from './variables.ts';

/** A map while its rows are read, and then. */
class MapTable<R extends Subject> {
  hostnames = false;
  volatile = false;
  fallback: Template<R> | undefined = undefined;
  readonly exact = new Map<string, Template<R>>();
  readonly hosts = new HostTable<Template<R>>();
  readonly regexes: { readonly regex: Regex<R>; readonly value: Template<R> }[] = [];
  /** Rows with equal values share one. */
  readonly values = new Map<string, Template<R>>();

  constructor(
    readonly source: Template<R>,
    readonly variable: string,
  ) {}

  value(request: R): string {
    const text = this.source.text(request);
    return (this.#find(request, text) ?? this.fallback)?.text(request) ?? '';
  }

  #find(request: R, source: string): Template<R> | undefined {
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

const addValue = <R extends Subject>(
  row: Args,
  table: MapTable<R>,
  value: Template<R>,
  values: Values<R>,
): void => {
  const { name } = row;
  if (name === 'default') {
    if (table.fallback) row.fail('duplicate default map parameter');
    table.fallback = value;
    return;
  }
  if (name.startsWith('~')) {
    const caseless = name.startsWith('~*');
    const regex = values.regex(name.slice(caseless ? 2 : 1), caseless, row.place);
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

/** The rows of a module for maps of the block that `context` names; `valuesOf` finds its values. */
export const mapRows = <R extends Subject>(context: Context, valuesOf: (scope: Scope) => Values<R>) => {
  const tableKey = key<MapTable<R>>('a map');

  const begin = (args: Args, inner: Scope): void => {
    const [source, name] = [wordAt(args, 0), wordAt(args, 1)];
    const values = valuesOf(args.scope);
    const template = values.template(source.text, args.place);
    if (name.text.length < 2 || !name.text.startsWith('$'))
      args.fail(`invalid variable name "${name.text}"`, name);
    const variable = name.text.slice(1);
    values.variables.definable(variable, args.place);
    inner.carry(tableKey, new MapTable(template, variable));
  };

  const templateFor = (row: Args, table: MapTable<R>): Template<R> => {
    const { text } = wordAt(row, 0);
    let value = table.values.get(text);
    if (!value) {
      value = valuesOf(row.scope).template(text, row.place);
      table.values.set(text, value);
    }
    return value;
  };

  const addRow = (row: Args, inner: Scope): void => {
    const table = inner.need(tableKey);
    const { name } = row;
    if (row.words.length === 0 && name === 'hostnames') table.hostnames = true;
    else if (row.words.length === 0 && name === 'volatile') table.volatile = true;
    else if (row.words.length !== 1) row.fail('invalid number of the map parameters');
    else addValue(row, table, templateFor(row, table), valuesOf(row.scope));
  };

  const complete = (args: Args, inner: Scope): void => {
    const table = inner.need(tableKey);
    const get = (request: R): string => table.value(request);
    valuesOf(inner).variables.define(
      table.variable,
      { get, cached: !table.volatile, changeable: true },
      args.place,
    );
  };

  const hashSize = statement({
    in: [context],
    arity: 1,
    run: (args) => {
      num().parse(args, undefined);
    },
  });

  return {
    map: block({
      in: [context],
      arity: 2,
      repeats: true,
      child: 'rows',
      begin,
      row: addRow,
      end: complete,
    }),
    map_hash_max_size: hashSize,
    map_hash_bucket_size: hashSize,
  };
};
