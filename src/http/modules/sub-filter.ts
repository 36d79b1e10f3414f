/** `sub_filter`: texts in a reply's body replaced by others (ngx_http_sub_filter). */
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { clearLastModified, clearTag, weakenTag } from '../changed-body.ts';
import { appendFilter } from '../filter-chain.ts';
import { hasType, type MimeTypes, mimeTypes, TEXT_HTML } from '../mime-types.ts';
import { type HeaderFilter, httpModule } from '../module.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOWHERE, OWNED, SYNC } from '../output.ts';
import { templateAt } from '../parsers.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { Patterns, Replacing } from './sub-filter-search.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const MOST = 255;

/** A `sub_filter`; `fixed` is its replacement where that is known at load. */
interface Pair {
  readonly match: Template;
  readonly value: Template;
  readonly fixed: Data | undefined;
}

const pairs: Parser<readonly Pair[]> = {
  arity: 2,
  repeats: true,
  parse(args, own = []) {
    const [match, value] = [templateAt(args, 0), templateAt(args, 1)];
    if (match.source === '') args.fail('empty search pattern', wordAt(args, 0));
    if (own.length === MOST) args.fail(`number of search patterns exceeds ${MOST}`);
    const fixed = value.constant === undefined ? undefined : Buffer.from(value.constant, 'latin1');
    return [...own, { match, value, fixed }];
  },
};

/** Only letters of ASCII have another case here: all other bytes stand for themselves. */
const lowerBytes = (text: string): Data =>
  Buffer.from(
    text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()),
    'latin1',
  );

/** What is searched for in one body, and what by; undefined where all patterns turn out empty. */
interface Search {
  readonly patterns: Patterns;
  readonly pairs: readonly Pair[];
}

const searchFor = (list: readonly Pair[], textOf: (match: Template) => string): Search | undefined => {
  const met = list.map((pair) => ({ pair, text: textOf(pair.match) })).filter(({ text }) => text !== '');
  if (met.length === 0) return undefined;
  return {
    patterns: new Patterns(met.map(({ text }) => lowerBytes(text))),
    pairs: met.map(({ pair }) => pair),
  };
};

class SubFilter implements BodyFilter {
  next = NOWHERE;
  readonly #replacing: Replacing;

  constructor(request: Request, { patterns, pairs: list }: Search, once: boolean) {
    this.#replacing = new Replacing(patterns, once, (index) => {
      const pair = list[index];
      return pair?.fixed ?? Buffer.from(pair?.value.text(request) ?? '', 'latin1');
    });
  }

  write(request: Request, bytes: Data, flags: number): void {
    const replaced = this.#replacing.feed(bytes, (flags & (FLUSH | SYNC)) !== 0, (flags & LAST) !== 0);
    if (replaced.length === 0 && (flags & (FLUSH | LAST)) === 0) return;
    this.next.write(request, replaced, replaced.buffer === bytes.buffer ? flags : flags | OWNED);
  }
}

interface SubConf {
  readonly sub_filter: readonly Pair[];
  readonly sub_filter_types: MimeTypes;
  readonly sub_filter_once: boolean;
  readonly sub_filter_last_modified: boolean;
}

const makeFilter = (conf: SubConf): HeaderFilter => {
  const { sub_filter: list, sub_filter_types: types, sub_filter_once: once } = conf;
  const varies = list.some(({ match }) => match.constant === undefined);
  const fixed = varies ? undefined : searchFor(list, ({ constant = '' }) => constant);
  return (request) => {
    const { out } = request;
    if (out.contentLength === 0 || !hasType(types, out)) return;
    const search = fixed ?? searchFor(list, (match) => match.text(request));
    if (!search) return;
    appendFilter(request, new SubFilter(request, search, once));
    if (request !== request.main) return;
    out.contentLength = -1;
    if (conf.sub_filter_last_modified) {
      weakenTag(out);
    } else {
      clearLastModified(out);
      clearTag(out);
    }
  };
};

export const subFilterModule = httpModule({
  name: 'http_sub_filter',
  filtersSubrequests: true,
  directives: {
    sub_filter: directive<readonly Pair[]>(pairs, { in: WHERE, initial: [] }),
    sub_filter_types: directive<MimeTypes>(mimeTypes, {
      in: WHERE,
      initial: TEXT_HTML,
    }),
    sub_filter_once: directive(flag, { in: WHERE, initial: true }),
    sub_filter_last_modified: directive(flag, { in: WHERE, initial: false }),
  },
  headerFilter: (conf) => (conf.sub_filter.length > 0 ? makeFilter(conf) : undefined),
});
