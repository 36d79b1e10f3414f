/** `modern_browser`, `ancient_browser`: variables that tell old browsers from new ones (ngx_http_browser). */
import { type Args, type Context, directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { isMsie } from '../user-agent.ts';
import type { Value } from '../variables.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** How a browser names itself: `text`, not before `skip` characters; its version stands `add` characters behind it. */
interface Sign {
  readonly name: string;
  readonly skip: number;
  readonly text: string;
  readonly add: number;
}

/** In the order in which they are looked for: Opera calls itself by other names too. */
const SIGNS: readonly Sign[] = [
  { name: 'opera', skip: 0, text: 'Opera', add: 6 },
  { name: 'msie', skip: 25, text: 'MSIE ', add: 5 },
  { name: 'gecko', skip: 13, text: 'rv:', add: 3 },
  { name: 'safari', skip: 13, text: 'Safari/', add: 7 },
  { name: 'konqueror', skip: 25, text: 'Konqueror/', add: 10 },
];
const OPERA = 0;
/** More than any browser's. */
const UNREACHABLE = 4_001_000_000;

interface ModernBrowser {
  /** Its place in SIGNS. */
  readonly sign: number;
  readonly version: number;
}
interface Modern {
  readonly browsers: readonly ModernBrowser[];
  /** What is not listed is modern. */
  readonly unlisted: boolean;
}
interface Ancient {
  readonly texts: readonly string[];
  readonly netscape4: boolean;
}

/** Two digits for each part behind the first: `1.8.0.5` is 1080005. */
const versionOf = (parts: readonly number[]): number => {
  let version = 0;
  let scale = 1_000_000;
  for (const part of parts) {
    version += part * scale;
    scale = Math.trunc(scale / 100);
  }
  return version;
};

const modern: Parser<Modern> = {
  arity: [1, 2],
  repeats: true,
  parse(args: Args, own = { browsers: [], unlisted: false }) {
    const name = wordAt(args, 0);
    if (args.words.length === 1) {
      if (name.text !== 'unlisted') args.fail(`invalid parameter "${name.text}"`, name);
      return { ...own, unlisted: true };
    }
    const sign = SIGNS.findIndex((one) => one.name === name.text.toLowerCase());
    if (sign < 0) args.fail(`unknown browser name "${name.text}"`, name);
    const version = wordAt(args, 1);
    if (/[^0-9.]/.test(version.text)) args.fail(`invalid browser version "${version.text}"`, version);
    const browser = { sign, version: versionOf(version.text.split('.').map(Number)) };
    return { ...own, browsers: [...own.browsers, browser] };
  },
};

const ancient: Parser<Ancient> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args, own = { texts: [], netscape4: false }) {
    const texts = args.texts.filter((text) => text !== 'netscape4');
    return {
      texts: [...own.texts, ...texts],
      netscape4: own.netscape4 || texts.length < args.texts.length,
    };
  },
};

/** The last one of a level counts. */
const value: Parser<string> = { arity: 1, repeats: true, parse: (args) => wordAt(args, 0).text };

/** Opera may call itself MSIE: where it is not listed no version of it is modern. */
const inOrder = (browsers: readonly ModernBrowser[]): readonly ModernBrowser[] => {
  if (browsers.length === 0) return browsers;
  const opera = browsers.some(({ sign }) => sign === OPERA) ? [] : [{ sign: OPERA, version: UNREACHABLE }];
  return [...browsers, ...opera].sort((a, b) => a.sign - b.sign);
};

/** Whether the version at the beginning of `text` is `wanted` or later. */
const reaches = (text: string, wanted: number): boolean =>
  versionOf((/^[0-9.]*/.exec(text)?.[0] ?? '').split('.').map(Number)) >= wanted;

/** The verdict of the first listed browser that the User-Agent names; undefined when it names none. */
const listed = (agent: string, browsers: readonly ModernBrowser[]): boolean | undefined => {
  for (const { sign, version } of browsers) {
    const { text, skip, add } = SIGNS[sign] ?? { text: '', skip: 0, add: 0 };
    const at = skip < agent.length ? agent.indexOf(text, skip) : -1;
    if (at >= 0 && at + add < agent.length) return reaches(agent.slice(at + add), version);
  }
  return undefined;
};

const isNetscape4 = (agent: string): boolean => agent.length > 13 && /^Mozilla\/[1-4]/.test(agent);

const isModern = (request: Request): boolean => {
  const {
    modern_browser: { unlisted },
    browsers,
    ancient_browser: old,
  } = request.location.confOf(browserModule);
  const agent = request.headers.get('user-agent');
  if (agent === undefined) return unlisted;
  if (browsers.length > 0) {
    const verdict = listed(agent, browsers);
    if (verdict !== undefined) return verdict;
    if (!unlisted) return false;
  }
  if (old.netscape4 && isNetscape4(agent)) return false;
  return unlisted && !old.texts.some((text) => agent.includes(text));
};

const browserValue =
  (wanted: boolean, name: 'modern_browser_value' | 'ancient_browser_value') =>
  (request: Request): Value =>
    isModern(request) === wanted ? request.location.confOf(browserModule)[name] : '';

export const browserModule = httpModule({
  name: 'http_browser',
  directives: {
    modern_browser: directive(modern, { in: WHERE, initial: { browsers: [], unlisted: false } }),
    ancient_browser: directive(ancient, { in: WHERE, initial: { texts: [], netscape4: false } }),
    modern_browser_value: directive(value, { in: WHERE, initial: '1' }),
    ancient_browser_value: directive(value, { in: WHERE, initial: '1' }),
  },
  derive: ({ modern_browser: { browsers } }) => ({ browsers: inOrder(browsers) }),
  variables: {
    msie: {
      get: ({ headers }) => (isMsie(headers.get('user-agent') ?? '') ? '1' : ''),
      changeable: true,
      cached: true,
    },
    modern_browser: { get: browserValue(true, 'modern_browser_value'), changeable: true, cached: true },
    ancient_browser: { get: browserValue(false, 'ancient_browser_value'), changeable: true, cached: true },
  },
});
