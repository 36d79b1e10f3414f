/** `try_files`: the first of several files that is there, else a URI, a named location or a status. */
import type { Stats } from 'node:fs';
import { type Args, directive, type Parser } from '../../config/contract.ts';
import { parseNumber } from '../../config/numbers.ts';
import { wordAt } from '../../config/parsers.ts';
import { CRIT } from '../../log/levels.ts';
import { HTTP } from '../build.ts';
import { filePath, URI_BEHIND_ALIAS } from '../file-path.ts';
import { internalRedirect, namedLocation } from '../finalize.ts';
import { type Handler, httpModule } from '../module.ts';
import { OpenFailure } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Template } from '../template.ts';
import { DECLINED, DONE } from '../verdict.ts';
import { isAbsent } from './file-errors.ts';

interface Try {
  readonly name: Template;
  /** A folder is looked for: the name ends in a slash. */
  readonly folder: boolean;
}
interface TryFiles {
  readonly tries: readonly Try[];
  /** Where the request goes when nothing is there. */
  readonly fallback: Template;
  /** The status that `=CODE` names; 0 when the fallback is a URI. */
  readonly code: number;
}

const tryFiles: Parser<TryFiles> = {
  arity: { min: 2, max: Number.POSITIVE_INFINITY },
  parse(args: Args) {
    const build = args.scope.need(HTTP);
    const last = args.words.length - 1;
    const tries = args.texts.slice(0, last).map((text): Try => {
      const folder = text.endsWith('/');
      return { name: build.template(folder ? text.slice(0, -1) : text, args.place), folder };
    });
    const word = wordAt(args, last);
    let code = 0;
    if (word.text.startsWith('=')) {
      const number = parseNumber(word.text.slice(1));
      if (number === undefined || number > 999) return args.fail(`invalid code "${word.text}"`, word);
      code = number;
    }
    return { tries, fallback: build.template(word.text, args.place), code };
  },
};

/** What stands at `path`; undefined, logged where that is not usual, when it can't be looked at. */
const look = (request: Request, path: string): Stats | undefined => {
  if (path.includes('\0')) return undefined;
  const found = request.location.core.opener.test(request, path);
  if (!(found instanceof OpenFailure)) return found;
  if (!isAbsent(found.code)) logRequest(request, CRIT, `${found.call} "${path}" failed (${found.text})`);
  return undefined;
};

/** The URI that a found name gives, and takes it. */
const take = (request: Request, name: string, strip: number, folder: boolean): void => {
  if (strip < 0) {
    request.uri = name;
  } else if (strip === Number.POSITIVE_INFINITY) {
    if (folder) return;
    request.uri = name;
    request.setContext(URI_BEHIND_ALIAS, true);
  } else {
    request.uri = request.uri.slice(0, strip) + name;
  }
};

const handler =
  ({ tries, fallback, code }: TryFiles): Handler =>
  (request) => {
    const { strip } = request.location.core.files;
    const aliased = strip >= 0 && strip !== Number.POSITIVE_INFINITY;
    const prefix = aliased ? request.uri.slice(0, strip) : '';
    const root = filePath(request, prefix);
    if (root === undefined) return 500;
    for (const { name, folder } of tries) {
      let text = name.text(request);
      if (aliased && name.constant === undefined && text.startsWith(prefix)) text = text.slice(strip);
      const found = look(request, root + text);
      if (!found || found.isDirectory() !== folder) continue;
      take(request, text, strip, folder);
      return DECLINED;
    }
    if (code !== 0) return code;
    let uri = fallback.text(request);
    if (uri.startsWith('@')) {
      namedLocation(request, uri);
      return DONE;
    }
    if (aliased && fallback.constant === undefined && uri.startsWith(prefix)) uri = uri.slice(strip);
    const mark = uri.indexOf('?');
    if (mark < 0) internalRedirect(request, uri, '');
    else internalRedirect(request, uri.slice(0, mark), uri.slice(mark + 1));
    return DONE;
  };

export const tryFilesModule = httpModule({
  name: 'http_try_files',
  directives: {
    // Not inherited: a level's own, or none.
    try_files: directive<TryFiles | undefined>(tryFiles, {
      in: ['server', 'location'],
      initial: undefined,
      merge: (own) => own,
    }),
  },
  phases: { precontent: ({ try_files: conf }) => (conf ? handler(conf) : undefined) },
});
