/** `random_index`: any file of a folder stands for it (ngx_http_random_index). */
import { randomInt } from 'node:crypto';
import { type Dirent, readdirSync, statSync } from 'node:fs';
import { directive } from '../../config/contract.ts';
import { flag } from '../../config/parsers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import { filePath } from '../file-path.ts';
import { internalRedirect } from '../finalize.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, DONE, type Verdict } from '../verdict.ts';
import { isAbsent } from './file-errors.ts';

const isFile = (folder: string, entry: Dirent): boolean => {
  if (entry.name.startsWith('.')) return false;
  if (!entry.isSymbolicLink()) return entry.isFile();
  return statSync(`${folder}/${entry.name}`, { throwIfNoEntry: false })?.isFile() === true;
};

const pick = (request: Request): Verdict => {
  const { uri, method } = request;
  if (!uri.endsWith('/') || (method !== 'GET' && method !== 'HEAD' && method !== 'POST')) return DECLINED;
  const folder = filePath(request);
  if (folder === undefined) return 500;
  let files: readonly Dirent[];
  try {
    files = readdirSync(folder, { withFileTypes: true }).filter((entry) => isFile(folder, entry));
  } catch (error) {
    const code = errorCode(error);
    const status = isAbsent(code) ? 404 : code === 'EACCES' ? 403 : 500;
    const path = folder.replace(/\/$/, '');
    logRequest(request, status === 500 ? CRIT : ERROR, `opendir() "${path}" failed (${errorText(error)})`);
    return status;
  }
  const file = files.length > 0 ? files[randomInt(files.length)] : undefined;
  if (!file) return DECLINED;
  internalRedirect(request, uri + Buffer.from(file.name).toString('latin1'), request.args);
  return DONE;
};

export const randomIndexModule = httpModule({
  name: 'http_random_index',
  directives: { random_index: directive(flag, { in: ['location'], initial: false }) },
  phases: { content: ({ random_index: on }) => (on ? pick : undefined) },
});
