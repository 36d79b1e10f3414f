/**
 * The PARAMS of a request: `fastcgi_param` and the client's headers, compiled once per location into one function
 * that puts them together as text, bytes as characters.
 */
import type { HeaderName, HeadersIn } from '../../../http/headers.ts';
import type { Request } from '../../../http/request.ts';
import type { Template } from '../../../http/template.ts';
import { ownText } from '../../../net/latin1.ts';
import { pairLength } from './records.ts';

/** One `fastcgi_param NAME VALUE [if_not_empty]`. */
export interface Param {
  readonly name: string;
  readonly value: Template;
  readonly ifNotEmpty: boolean;
}

type Part = (request: Request) => string;

/** How a protocol writes a pair: `before` the name, the value's `length`, `between`, the value, `after`. */
export interface PairForm {
  before(name: string): string;
  length(bytes: number): string;
  between(name: string): string;
  readonly after: string;
}

const FASTCGI: PairForm = {
  before: (name) => pairLength(name.length),
  length: pairLength,
  between: (name) => name,
  after: '',
};

const pairOf = (form: PairForm, name: string, value: string): string =>
  form.before(name) + form.length(value.length) + form.between(name) + value + form.after;

/**
 * Compiles the pairs to send. A parameter called HTTP_X stands in for the client's header X, and removes it when
 * it is the empty text. `passHeaders` is `fastcgi_pass_request_headers`.
 */
export const compileParams = (
  params: readonly Param[],
  passHeaders: boolean,
  form: PairForm = FASTCGI,
): Part => {
  const parts: Part[] = [];
  const replaced = new Set<string>();
  let constant = '';
  for (const { name, value, ifNotEmpty } of params) {
    const isHeader = name.startsWith('HTTP_') && name.length > 5;
    if (isHeader) replaced.add(name.slice(5).toLowerCase());
    if (value.constant !== undefined) {
      if (value.constant === '' && (isHeader || ifNotEmpty)) continue;
      constant += pairOf(form, name, value.constant);
      continue;
    }
    parts.push(variablePair(constant, name, value, ifNotEmpty, form));
    constant = '';
  }
  if (constant !== '') {
    const last = constant;
    parts.push(() => last);
  }
  if (passHeaders) {
    const headers = new HeaderParams(replaced, form);
    parts.push((request) => headers.text(request.headers));
  }
  return inOrder(parts);
};

/** Longer values are not kept from one request to the next. */
const LONGEST_KEPT = 1024;

/**
 * A pair whose value is mostly that of the request before (the server's name, an Accept header): then it is not put
 * together again, and what is sent twice becomes one flat text, which is cheap to join and to write.
 */
class Pair {
  #value = '';
  #pair: string;
  #flat = false;
  readonly #start: string;
  readonly #between: string;
  readonly #form: PairForm;
  readonly #empty: string;

  /** `before` is constant text ahead of the pair, `empty` is what is sent in its place when the value is empty. */
  constructor(before: string, name: string, form: PairForm, empty = before + pairOf(form, name, '')) {
    this.#start = before + form.before(name);
    this.#between = form.between(name);
    this.#form = form;
    this.#empty = this.#pair = empty;
  }

  text(value: string): string {
    if (value === this.#value) {
      if (!this.#flat) {
        this.#flat = true;
        this.#pair = ownText(this.#pair);
      }
      return this.#pair;
    }
    const { length } = value;
    const form = this.#form;
    const made =
      length === 0 ? this.#empty : this.#start + form.length(length) + this.#between + value + form.after;
    if (length <= LONGEST_KEPT) {
      this.#flat = false;
      this.#value = value;
      this.#pair = made;
    }
    return made;
  }
}

const variablePair = (
  before: string,
  name: string,
  { text }: Template,
  ifNotEmpty: boolean,
  form: PairForm,
): Part => {
  const kept = ifNotEmpty ? new Pair(before, name, form, before) : new Pair(before, name, form);
  return (request) => kept.text(text(request));
};

const inOrder =
  (parts: readonly Part[]): Part =>
  (request) => {
    let text = '';
    for (let i = 0; i < parts.length; i++) text += parts[i]?.(request) ?? '';
    return text;
  };

/** A header's name among the parameters. */
interface ParamName {
  readonly pair: Pair;
  readonly isCookie: boolean;
  /** The number of the last request that had it: a second line of the same name is seen at once. */
  request: number;
}

/** `request` of a name that is not remembered: a second line of it would go unseen. */
const FORGOTTEN = -1;

/** How many names are remembered: clients choose them. */
const MOST_NAMES = 256;

/** The client's headers as parameters: `Accept-Language` becomes `HTTP_ACCEPT_LANGUAGE` (RFC 3875, section 4.1.18). */
class HeaderParams {
  /** null: a parameter replaces that header. */
  readonly #names = new Map<HeaderName, ParamName | null>();
  readonly #byText = new Map<string, ParamName>();
  readonly #replaced: ReadonlySet<string>;
  readonly #form: PairForm;
  #requests = 0;

  constructor(replaced: ReadonlySet<string>, form: PairForm) {
    this.#replaced = replaced;
    this.#form = form;
  }

  text(headers: HeadersIn): string {
    const { names, values } = headers;
    const request = ++this.#requests;
    let text = '';
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (!name) break;
      let known = this.#names.get(name);
      if (known === undefined) known = this.#learn(name);
      if (known === null) continue;
      if (known.request === request || known.request === FORGOTTEN) return this.#joined(headers);
      known.request = request;
      text += known.pair.text(values[i] ?? '');
    }
    return text;
  }

  /** With lines of one name joined into one parameter, at the first one's place. */
  #joined({ names, values }: HeadersIn): string {
    const joined = new Map<string, { readonly known: ParamName; value: string }>();
    names.forEach((name, i) => {
      const known = this.#learn(name);
      if (known === null) return;
      const value = values[i] ?? '';
      const before = joined.get(name.lower);
      if (before) before.value += (known.isCookie ? '; ' : ', ') + value;
      else joined.set(name.lower, { known, value });
    });
    let text = '';
    for (const { known, value } of joined.values()) text += known.pair.text(value);
    return text;
  }

  #learn(name: HeaderName): ParamName | null {
    const remember = this.#names.size < MOST_NAMES;
    const lower = name.lower.replaceAll('-', '_');
    if (this.#replaced.has(lower)) {
      if (remember) this.#names.set(name, null);
      return null;
    }
    let known = this.#byText.get(name.lower);
    if (!known) {
      const kept = new Pair('', `HTTP_${lower.toUpperCase()}`, this.#form);
      known = { pair: kept, isCookie: lower === 'cookie', request: remember ? 0 : FORGOTTEN };
      if (remember) this.#byText.set(name.lower, known);
    }
    if (remember) this.#names.set(name, known);
    return known;
  }
}
