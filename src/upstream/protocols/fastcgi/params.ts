/**
 * The PARAMS of a request: `fastcgi_param` and the client's headers, compiled once per location into one function
 * that puts them together as text, bytes as characters.
 */
import type { HeaderName, HeadersIn } from '../../../http/headers.ts';
import type { Request } from '../../../http/request.ts';
import type { Template } from '../../../http/template.ts';
import { pair, pairLength } from './records.ts';

/** One `fastcgi_param NAME VALUE [if_not_empty]`. */
export interface Param {
  readonly name: string;
  readonly value: Template;
  readonly ifNotEmpty: boolean;
}

type Part = (request: Request) => string;

/**
 * Compiles the pairs to send. A parameter called HTTP_X stands in for the client's header X, and removes it when
 * it is the empty text. `passHeaders` is `fastcgi_pass_request_headers`.
 */
export const compileParams = (params: readonly Param[], passHeaders: boolean): Part => {
  const parts: Part[] = [];
  const replaced = new Set<string>();
  let constant = '';
  for (const { name, value, ifNotEmpty } of params) {
    const isHeader = name.startsWith('HTTP_') && name.length > 5;
    if (isHeader) replaced.add(name.slice(5).toLowerCase());
    if (value.constant !== undefined) {
      if (value.constant === '' && (isHeader || ifNotEmpty)) continue;
      constant += pair(name, value.constant);
      continue;
    }
    parts.push(variablePair(constant, name, value, ifNotEmpty));
    constant = '';
  }
  if (constant !== '') {
    const last = constant;
    parts.push(() => last);
  }
  if (passHeaders) {
    const headers = new HeaderParams(replaced);
    parts.push((request) => headers.text(request.headers));
  }
  return inOrder(parts);
};

/** `before` is what is constant ahead of the pair. */
const variablePair = (before: string, name: string, value: Template, ifNotEmpty: boolean): Part => {
  const { text } = value;
  const nameLength = pairLength(name.length);
  const start = before + nameLength;
  return (request) => {
    const content = text(request);
    const { length } = content;
    if (length > 127) return start + pairLength(length) + name + content;
    if (length === 0 && ifNotEmpty) return before;
    return start + SHORT[length] + name + content;
  };
};

/** `pairLength` of 0 to 127. */
const SHORT: readonly string[] = Array.from({ length: 128 }, (_, length) => pairLength(length));

const inOrder =
  (parts: readonly Part[]): Part =>
  (request) => {
    let text = '';
    for (let i = 0; i < parts.length; i++) text += parts[i]?.(request) ?? '';
    return text;
  };

/** How a header's name stands in the parameters. */
interface ParamName {
  readonly length: string;
  readonly text: string;
  readonly isCookie: boolean;
  /** The number of the last request that had it: a second line of the same name is seen at once. */
  request: number;
}

/** `request` of a name that is not remembered: a second line of it would go unseen. */
const FORGOTTEN = -1;

/** How many names are remembered: clients choose them. */
const MOST_NAMES = 1024;

/** The client's headers as parameters: `Accept-Language` becomes `HTTP_ACCEPT_LANGUAGE` (RFC 3875, section 4.1.18). */
class HeaderParams {
  /** null: a parameter replaces that header. */
  readonly #names = new Map<HeaderName, ParamName | null>();
  readonly #byText = new Map<string, ParamName>();
  readonly #replaced: ReadonlySet<string>;
  #requests = 0;

  constructor(replaced: ReadonlySet<string>) {
    this.#replaced = replaced;
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
      text += headerPair(known, values[i] ?? '');
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
    for (const { known, value } of joined.values()) text += headerPair(known, value);
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
      const text = `HTTP_${lower.toUpperCase()}`;
      const request = remember ? 0 : FORGOTTEN;
      known = { length: pairLength(text.length), text, isCookie: lower === 'cookie', request };
      if (remember) this.#byText.set(name.lower, known);
    }
    if (remember) this.#names.set(name, known);
    return known;
  }
}

const headerPair = (name: ParamName, value: string): string => {
  const { length } = value;
  return name.length + (length < 128 ? SHORT[length] : pairLength(length)) + name.text + value;
};
