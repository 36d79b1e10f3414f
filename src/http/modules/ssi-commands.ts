/** What the commands of SSI do, but for `include`. */
import { Reason } from '../../config/reason.ts';
import { compileRegex, type RegexResult } from '../../config/regex.ts';
import { ERROR } from '../../log/levels.ts';
import { escapeHtml } from '../html.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { escapeUri } from '../uri.ts';
import type { Variables } from '../variables.ts';
import type { SsiCommand } from './ssi-command.ts';
import { parseSsiExpression } from './ssi-expression.ts';
import { evaluateSsi, pageOf, ssiVariable } from './ssi-page.ts';

/** The state of one page. */
export interface SsiState {
  encoding: 'none' | 'url' | 'entity';
  errorMessage: string;
  timeFormat: string;
  /** What is read is written. */
  output: boolean;
  /** A branch of the present `if` has been taken. */
  chosen: boolean;
  /** 0: outside of an `if`; 1: in it; 2: behind its `else`. */
  conditional: number;
  /** What is read is kept under a block's name. */
  inBlock: boolean;
}

export type SsiParams = ReadonlyMap<string, string>;

interface Declared {
  /** Parameters by name; true: it must be there. */
  readonly params: Readonly<Record<string, boolean>>;
  /** Allowed only where `conditional` is at least 1 and at most this; 0: anywhere. */
  readonly conditional: number;
  /** Seen within a block too. */
  readonly endsBlock?: boolean;
}

const COMMANDS = new Map<string, Declared>(
  Object.entries({
    include: {
      params: { virtual: false, file: false, wait: false, set: false, stub: false },
      conditional: 0,
    },
    echo: { params: { var: true, default: false, encoding: false }, conditional: 0 },
    config: { params: { errmsg: false, timefmt: false }, conditional: 0 },
    set: { params: { var: true, value: true }, conditional: 0 },
    if: { params: { expr: true }, conditional: 0 },
    elif: { params: { expr: true }, conditional: 1 },
    else: { params: {}, conditional: 1 },
    endif: { params: {}, conditional: 2 },
    block: { params: { name: true }, conditional: 0 },
    endblock: { params: {}, conditional: 0, endsBlock: true },
  }),
);

/** The declaration of a command by its name. */
export const declared = (name: string): Declared | undefined => COMMANDS.get(name);

const MOST_PARAMS = 16;

/** The parameters of a command by name. Undefined, with a line in the log, when they are not what it takes. */
export const paramsOf = (
  request: Request,
  state: SsiState,
  written: SsiCommand,
  command: Declared,
): SsiParams | undefined => {
  const { name } = written;
  if (command.conditional !== 0 && (state.conditional === 0 || state.conditional > command.conditional)) {
    logRequest(request, ERROR, `invalid context of SSI command: "${name}"`);
    return undefined;
  }
  written.given ??= checked(request, written, command);
  return written.given;
};

/** The parameters by name where they are what the command takes. */
const checked = (
  request: Request,
  { name, params }: SsiCommand,
  command: Declared,
): SsiParams | undefined => {
  const fail = (reason: string): undefined => {
    logRequest(request, ERROR, reason);
    return undefined;
  };
  if (params.length > MOST_PARAMS) return fail(`too many SSI command parameters: "${name}"`);
  const given = new Map<string, string>();
  for (const [key, value] of params) {
    if (!Object.hasOwn(command.params, key)) {
      return fail(`invalid parameter name: "${key}" in "${name}" SSI command`);
    }
    if (given.has(key)) return fail(`duplicate "${key}" parameter in "${name}" SSI command`);
    given.set(key, value);
  }
  for (const [key, mandatory] of Object.entries(command.params)) {
    if (mandatory && !given.has(key)) {
      return fail(`mandatory "${key}" parameter is absent in "${name}" SSI command`);
    }
  }
  return given;
};

const ENCODINGS = ['none', 'url', 'entity'] as const;

/** The text that `echo` puts in the page's place of it. */
export const echo = (request: Request, variables: Variables, state: SsiState, params: SsiParams): string => {
  const text = ssiVariable(request, variables, params.get('var') ?? '') ?? params.get('default') ?? '(none)';
  if (text === '') return '';
  const wanted = params.get('encoding');
  if (wanted !== undefined) {
    const encoding = ENCODINGS.find((name) => name === wanted);
    if (encoding) state.encoding = encoding;
    else logRequest(request, ERROR, `unknown encoding "${wanted}" in the "echo" command`);
  }
  if (state.encoding === 'url') return escapeUri(text, 'html');
  return state.encoding === 'entity' ? escapeHtml(text) : text;
};

/** `set`; false: its value is malformed. */
export const set = (request: Request, variables: Variables, params: SsiParams): boolean => {
  const value = evaluateSsi(request, variables, params.get('value') ?? '');
  if (value === undefined) return false;
  pageOf(request).variables.set((params.get('var') ?? '').toLowerCase(), value);
  return true;
};

const MOST_PATTERNS = 1000;
const patterns = new Map<string, RegexResult>();

/** Compiled once, however many pages ask for it. Throws a Reason. */
const patternOf = (source: string): RegexResult => {
  const known = patterns.get(source);
  if (known) return known;
  const compiled = compileRegex(source);
  if (patterns.size >= MOST_PATTERNS) patterns.clear();
  patterns.set(source, compiled);
  return compiled;
};

/** Whether `text` matches, with its captures kept for the pages; undefined for a pattern that is none. */
const matches = (request: Request, source: string, text: string): boolean | undefined => {
  let pattern: RegexResult;
  try {
    pattern = patternOf(source);
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    logRequest(request, ERROR, error.message);
    return undefined;
  }
  const found = pattern.regexp.exec(text);
  if (!found) return false;
  const page = pageOf(request);
  page.captures = found;
  for (const [name, index] of pattern.names) page.variables.set(name.toLowerCase(), found[index] ?? '');
  return true;
};

/** Whether an expression holds; undefined, with a line in the log, when it can't be told. */
const holds = (request: Request, variables: Variables, source: string): boolean | undefined => {
  const expression = parseSsiExpression(source);
  if (!expression) {
    logRequest(request, ERROR, `invalid expression in "${source}"`);
    return undefined;
  }
  const left = evaluateSsi(request, variables, expression.left);
  if (left === undefined) return undefined;
  const { text, pattern, negated } = expression;
  if (text === undefined && pattern === undefined) return left !== '';
  const right = evaluateSsi(request, variables, text ?? pattern ?? '');
  if (right === undefined) return undefined;
  const equal = pattern === undefined ? left === right : matches(request, right, left);
  return equal === undefined ? undefined : equal !== (negated === true);
};

/** `if` and `elif`; false: they can't be followed. */
export const branch = (
  request: Request,
  variables: Variables,
  state: SsiState,
  params: SsiParams,
  name: string,
): boolean => {
  if (name === 'if' && state.conditional !== 0) {
    logRequest(request, ERROR, 'the "if" command inside the "if" command');
    return false;
  }
  if (state.chosen) {
    state.output = false;
    return true;
  }
  const held = holds(request, variables, params.get('expr') ?? '');
  if (held === undefined) return false;
  state.output = held;
  state.chosen = held;
  state.conditional = 1;
  return true;
};

/** A command as it stood in the page, for the block that it belongs to. */
export const sourceOf = ({ name, params }: SsiCommand): Buffer => {
  const words = params.map(([key, value]) => ` ${key}="${value}"`).join('');
  return Buffer.from(`<!--#${name}${words} -->`, 'latin1');
};
