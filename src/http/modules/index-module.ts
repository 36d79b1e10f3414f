/** `index`: the file that stands for a folder (ngx_http_index). */
import { type Stats, statSync } from 'node:fs';
import { type Args, directive, type Parser } from '../../config/contract.ts';
import { ALERT, CRIT, ERROR } from '../../log/levels.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import { HTTP } from '../build.ts';
import { filePath } from '../file-path.ts';
import { internalRedirect } from '../finalize.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Template } from '../template.ts';
import { DECLINED, DONE, type Verdict } from '../verdict.ts';

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

const stat = (path: string): Stats | string => {
  try {
    return statSync(path, { throwIfNoEntry: false }) ?? 'ENOENT';
  } catch (error) {
    return errorCode(error);
  }
};

/** An index was not found: whether its folder is there at all. 0 when it is, else the status. */
const testFolder = (request: Request, folder: string, file: string): number => {
  let found: Stats | undefined;
  try {
    found = statSync(folder, { throwIfNoEntry: false });
  } catch (error) {
    if (errorCode(error) === 'EACCES') return 0;
    if (errorCode(error) === 'ELOOP') return 403;
    logRequest(request, CRIT, `stat() "${folder}" failed (${errorText(error)})`);
    return 500;
  }
  if (!found) {
    if (request.location.core.log_not_found) {
      logRequest(request, ERROR, `"${file}" is not found (2: No such file or directory)`);
    }
    return 404;
  }
  if (found.isDirectory()) return 0;
  logRequest(request, ALERT, `"${folder}" is not a directory`);
  return 500;
};

const failed = (request: Request, code: string, file: string): Verdict => {
  if (code === 'ELOOP' || code === 'EMLINK') return 403;
  if (code === 'EACCES') {
    logRequest(request, ERROR, `"${file}" is forbidden (13: Permission denied)`);
    return 403;
  }
  if (code === 'ENOTDIR' || code === 'ENAMETOOLONG') {
    const why = code === 'ENOTDIR' ? '20: Not a directory' : '36: File name too long';
    if (request.location.core.log_not_found) logRequest(request, ERROR, `"${file}" is not found (${why})`);
    return 404;
  }
  logRequest(request, CRIT, `stat() "${file}" failed`);
  return 500;
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
      const found = stat(file);
      if (typeof found !== 'string') {
        internalRedirect(request, uri + name, request.args);
        return DONE;
      }
      if (found !== 'ENOENT') return failed(request, found, file);
      if (tested) continue;
      const status = testFolder(request, folder.replace(/\/$/, ''), file);
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
  phases: {
    content: ({ index }, { build }) => search(index.length > 0 ? index : [build.template('index.html')]),
  },
});
