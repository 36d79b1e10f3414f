/** `index`: the file that stands for a folder (ngx_http_index). */
import { type Args, directive, type Parser } from '../../config/contract.ts';
import { ALERT, CRIT, ERROR } from '../../log/levels.ts';
import { HTTP } from '../build.ts';
import { filePath } from '../file-path.ts';
import { internalRedirect } from '../finalize.ts';
import { type Handler, httpModule } from '../module.ts';
import { OpenFailure } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { plainText, type Template } from '../template.ts';
import { DECLINED, DONE } from '../verdict.ts';

const SLASH = 0x2f;

const names: Parser<readonly Template[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  repeats: true,
  parse(args: Args, own = []) {
    const build = args.scope.need(HTTP);
    const added = args.words.map((word, index) => {
      if (word.text === '') args.fail(`index "${word.text}" in "index" directive is invalid`, word);
      if (word.text.startsWith('/') && index !== args.words.length - 1) {
        args.warn('only the last index in "index" directive should be absolute');
      }
      return build.template(word.text, args.place);
    });
    return [...own, ...added];
  },
};

/** An index was not found: whether its folder is there at all. 0 when it is, else the status. */
const testFolder = (request: Request, folder: string, file: string): number => {
  const found = request.location.core.opener.test(request, folder);
  if (!(found instanceof OpenFailure)) {
    if (found.isDirectory()) return 0;
    logRequest(request, ALERT, `"${folder}" is not a directory`);
    return 500;
  }
  const { code, text, call } = found;
  // The index was looked for: the folder may be searched.
  if (code === 'EACCES') return 0;
  if (code === 'ELOOP' || code === 'EMLINK') return 403;
  if (code === 'ENOENT') {
    if (request.location.core.log_not_found) logRequest(request, ERROR, `"${file}" is not found (${text})`);
    return 404;
  }
  logRequest(request, CRIT, `${call} "${folder}" failed (${text})`);
  return 500;
};

/** The status for an index that can't be looked at; 0: the next one is tried. */
const failed = (request: Request, { code, text, call }: OpenFailure, file: string): number => {
  switch (code) {
    case 'ENOENT':
      return 0;
    case 'ELOOP':
    case 'EMLINK':
      return 403;
    case 'EACCES':
      logRequest(request, ERROR, `"${file}" is forbidden (${text})`);
      return 403;
    case 'ENOTDIR':
    case 'ENAMETOOLONG':
      if (request.location.core.log_not_found) logRequest(request, ERROR, `"${file}" is not found (${text})`);
      return 404;
    default:
      logRequest(request, CRIT, `${call} "${file}" failed (${text})`);
      return 500;
  }
};

const search =
  (indices: readonly Template[]): Handler =>
  (request) => {
    const { uri, method } = request;
    if (uri.charCodeAt(uri.length - 1) !== SLASH) return DECLINED;
    if (method !== 'GET' && method !== 'HEAD' && method !== 'POST') return DECLINED;
    let folder: string | undefined;
    let tested = false;
    for (const index of indices) {
      const name = index.text(request);
      if (name.startsWith('/')) {
        internalRedirect(request, name, request.args);
        return DONE;
      }
      folder ??= filePath(request);
      if (folder === undefined) return 500;
      const file = folder + name;
      if (file.includes('\0')) return 404;
      const found = request.location.core.opener.test(request, file);
      if (!(found instanceof OpenFailure)) {
        internalRedirect(request, uri + name, request.args);
        return DONE;
      }
      const failure = failed(request, found, file);
      if (failure !== 0) return failure;
      if (tested) continue;
      const status = testFolder(request, folder.length > 1 ? folder.replace(/\/$/, '') : folder, file);
      if (status !== 0) return status;
      tested = true;
    }
    return DECLINED;
  };

export const indexModule = httpModule({
  name: 'http_index',
  directives: {
    index: directive<readonly Template[]>(names, { in: ['http', 'server', 'location'], initial: [] }),
  },
  derive: ({ index }) => ({ handler: search(index.length > 0 ? index : [plainText('index.html')]) }),
  phases: { content: ({ handler }) => handler },
});
