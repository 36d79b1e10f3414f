/** `random_index`: any file of a folder stands for it (ngx_http_random_index). */
import { randomInt } from 'node:crypto';
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { directive } from '../../config/contract.ts';
import { flag } from '../../config/parsers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { bytePath } from '../../platform/byte-path.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import { filePath } from '../file-path.ts';
import { internalRedirect } from '../finalize.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, DONE, type Verdict } from '../verdict.ts';
import { isAbsent } from './file-errors.ts';

const DOT = 0x2e;

/** Whether a name in a folder is a file, or a link to one; undefined, logged, when it can't be looked at. */
const isFile = (request: Request, folder: Buffer, entry: Dirent<Buffer>): boolean | undefined => {
  const { name } = entry;
  if (name[0] === DOT) return false;
  if (!entry.isSymbolicLink()) return entry.isFile();
  const path = Buffer.concat([folder, name]);
  try {
    return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
  } catch (error) {
    logRequest(request, CRIT, `stat() "${path.toString('latin1')}" failed (${errorText(error)})`);
    return undefined;
  }
};

const openFailed = (request: Request, path: string, error: unknown): Verdict => {
  const code = errorCode(error);
  const status = isAbsent(code) ? 404 : code === 'EACCES' ? 403 : 500;
  logRequest(request, status === 500 ? CRIT : ERROR, `opendir() "${path}" failed (${errorText(error)})`);
  return status;
};

const pick = (request: Request): Verdict => {
  const { uri, method } = request;
  if (!uri.endsWith('/') || (method !== 'GET' && method !== 'HEAD' && method !== 'POST')) return DECLINED;
  const path = filePath(request);
  if (path === undefined) return 500;
  const folder = bytePath(path);
  let entries: readonly Dirent<Buffer>[];
  try {
    entries = readdirSync(folder, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    return openFailed(request, path.slice(0, -1), error);
  }
  const files: Buffer[] = [];
  for (const entry of entries) {
    const found = isFile(request, folder, entry);
    if (found === undefined) return 500;
    if (found) files.push(entry.name);
  }
  const file = files.length > 0 ? files[randomInt(files.length)] : undefined;
  if (!file) return DECLINED;
  internalRedirect(request, uri + file.toString('latin1'), request.args);
  return DONE;
};

export const randomIndexModule = httpModule({
  name: 'http_random_index',
  directives: { random_index: directive(flag, { in: ['location'], initial: false }) },
  phases: { content: ({ random_index: on }) => (on ? pick : undefined) },
});
