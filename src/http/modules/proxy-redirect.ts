/** `proxy_redirect`, `proxy_cookie_domain`, `proxy_cookie_path`: rules that rewrite a text an upstream sent. */
import type { Args, Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { HTTP } from '../build.ts';
import { templateAt } from '../parsers.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { PASS, type Pass } from './proxy-pass.ts';

/** The text rewritten; undefined when the rule does not match. */
export type Rule = (request: Request, text: string) => string | undefined;
/** What a directive gave at one level: rules in their order, or `off`. */
export type Rules = readonly Rule[] | 'off';

/** What begins with the pattern gets the replacement in its place. */
const prefixRule =
  (pattern: Template, replacement: Template): Rule =>
  (request, text) => {
    const prefix = pattern.text(request);
    return text.startsWith(prefix) ? replacement.text(request) + text.slice(prefix.length) : undefined;
  };

/** What the pattern matches anywhere is replaced as a whole. */
const regexRule = (args: Args, source: string, caseless: boolean): Rule => {
  const { match } = args.scope.need(HTTP).regex(source, caseless, args.place);
  const replacement = templateAt(args, 1);
  return (request, text) => (match(request, text) ? replacement.text(request) : undefined);
};

/** A whole domain, in any case; a leading dot of the cookie's stays. */
const domainRule = (args: Args): Rule => {
  const build = args.scope.need(HTTP);
  const [pattern, replacement] = [0, 1].map((index) =>
    build.template(wordAt(args, index).text.replace(/^\./, ''), args.place),
  );
  return (request, text) => {
    const dot = text.startsWith('.') ? '.' : '';
    const domain = pattern?.text(request) ?? '';
    if (text.slice(dot.length).toLowerCase() !== domain.toLowerCase()) return undefined;
    return dot + (replacement?.text(request) ?? '');
  };
};

/** The first rule that matches decides; undefined when none does. */
export const applyRules = (rules: readonly Rule[], request: Request, text: string): string | undefined => {
  for (const rule of rules) {
    const rewritten = rule(request, text);
    if (rewritten !== undefined) return rewritten;
  }
  return undefined;
};

/** A parser of `NAME PATTERN REPLACEMENT` and `NAME off`; `one` handles other single words. */
const rules = (
  make: (args: Args) => Rule,
  one?: (args: Args) => Rule | undefined,
): Parser<Rules | undefined> => ({
  arity: [1, 2],
  repeats: true,
  parse(args, own) {
    if (own === 'off') return args.failDirective('is duplicate');
    const word = wordAt(args, 0);
    if (args.words.length === 2) return [...(own ?? []), make(args)];
    if (word.text === 'off') return own ? args.failDirective('is duplicate') : 'off';
    const rule = one?.(args);
    return rule ? [...(own ?? []), rule] : args.fail(`invalid parameter "${word.text}"`, word);
  },
});

/** What `proxy_redirect default` does for a location: the URL of its proxy_pass becomes the location's path. */
export const defaultRedirect = (pass: Pass): Rule => {
  const hasUri = pass.fixed !== undefined && pass.fixed.target.uri !== '';
  const url = hasUri ? pass.url : `${pass.url}/`;
  const path = hasUri ? pass.location : '/';
  return (_request, text) => (text.startsWith(url) ? path + text.slice(url.length) : undefined);
};

const explicitDefault = (args: Args): Rule | undefined => {
  if (wordAt(args, 0).text !== 'default') return undefined;
  const pass = args.scope.find(PASS);
  if (!pass || pass.scope !== args.scope) {
    return args.fail('"proxy_redirect default" should be placed after the "proxy_pass" directive');
  }
  if (!pass.fixed) {
    args.fail('"proxy_redirect default" cannot be used with "proxy_pass" directive with variables');
  }
  return defaultRedirect(pass);
};

/** `~pattern` and, for those who tell cases apart, `~*pattern`. */
const patternRule = (args: Args, plain: (args: Args) => Rule, tellsCases: boolean): Rule => {
  const text = wordAt(args, 0).text;
  if (!text.startsWith('~')) return plain(args);
  if (!tellsCases) return regexRule(args, text.slice(1), true);
  const caseless = text.startsWith('~*');
  return regexRule(args, text.slice(caseless ? 2 : 1), caseless);
};
const plainPrefix = (args: Args): Rule => prefixRule(templateAt(args, 0), templateAt(args, 1));

export const redirectRules = rules((args) => patternRule(args, plainPrefix, true), explicitDefault);
export const cookiePathRules = rules((args) => patternRule(args, plainPrefix, true));
export const cookieDomainRules = rules((args) => patternRule(args, domainRule, false));
