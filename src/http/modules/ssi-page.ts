/** What the pages of one request share: variables, blocks, captures; and the values that hold variables. */
import { ERROR } from '../../log/levels.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Value, Variables } from '../variables.ts';

/** A `block`: what stands in for an include that gives nothing. */
export interface StoredBlock {
  readonly name: string;
  readonly pieces: Buffer[];
}

export interface SsiPage {
  /** By lower-case name. */
  readonly variables: Map<string, string>;
  readonly blocks: StoredBlock[];
  captures: RegExpExecArray | undefined;
}
const PAGE = contextKey<SsiPage>('ssi');

/** What a request's pages share, the main request's and those of its subrequests. */
export const pageOf = ({ main }: Request): SsiPage => {
  let page = main.context(PAGE);
  if (!page) {
    page = { variables: new Map(), blocks: [], captures: undefined };
    main.setContext(PAGE, page);
  }
  return page;
};

/** A variable's value: a capture, one that the pages have set, or the server's. */
export const ssiVariable = (request: Request, variables: Variables, name: string): Value => {
  const lower = name.toLowerCase();
  const page = request.main.context(PAGE);
  if (page && /^\d$/.test(lower)) {
    const capture = page.captures && Number(lower) < page.captures.length;
    if (capture) return page.captures?.[Number(lower)] ?? '';
  }
  return page?.variables.get(lower) ?? variables.find(lower)?.(request);
};

const unescaped = (text: string): string =>
  !text.includes('\\')
    ? text
    : text.replace(/\\([\s\S]?)/g, (whole, char: string) =>
        /[\\'"$]/.test(char) ? char : char === '' ? '' : whole,
      );

/** `$name`, `${name}`, a `$` that begins no name, or text up to the next `$`. */
const PART = /\$\{(\w*)(\}?)|\$(\w*)|((?:[^$\\]|\\[\s\S]?)+)/g;

/** The text with its variables put in. Undefined, with a line in the log, when it is malformed. */
export const evaluateSsi = (request: Request, variables: Variables, text: string): string | undefined => {
  if (!text.includes('$')) return unescaped(text);
  let result = '';
  for (const [, braced, brace, bare, plain] of text.matchAll(PART)) {
    if (plain !== undefined) {
      result += unescaped(plain);
      continue;
    }
    const name = braced ?? bare ?? '';
    if (brace === '') {
      logRequest(request, ERROR, `the closing bracket in "${name}" variable is missing`);
      return undefined;
    }
    if (name === '') {
      logRequest(request, ERROR, `invalid variable name in "${text}"`);
      return undefined;
    }
    result += ssiVariable(request, variables, name) ?? '';
  }
  return result;
};

/** A relative URI stands beside the page that names it. */
export const besidePage = ({ uri: page }: Request, uri: string): string =>
  uri === '' || uri.startsWith('/') ? uri : page.slice(0, page.lastIndexOf('/') + 1) + uri;
