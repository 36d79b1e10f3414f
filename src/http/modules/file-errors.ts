/** What a file that can't be opened means for the client and the log. */
import { CRIT, ERROR } from '../../log/levels.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);
const FORBIDDEN = new Set(['EACCES', 'EMLINK', 'ELOOP']);

/** Whether the code of a system error says that there is no such file. */
export const isAbsent = (code: string): boolean => ABSENT.has(code);

/** Logs that nothing stands at `path`, unless `log_not_found` is off, and answers 404. */
export const notFound = (request: Request, path: string): number => {
  if (request.location.core.log_not_found) {
    logRequest(request, ERROR, `open() "${path}" failed (2: No such file or directory)`);
  }
  return 404;
};

/** Logs a failure of `call` on `path` and answers its status: 404, 403 or 500. */
export const fileError = (request: Request, error: unknown, path: string, call = 'open()'): number => {
  const code = errorCode(error);
  const status = ABSENT.has(code) ? 404 : FORBIDDEN.has(code) ? 403 : 500;
  if (status !== 404 || request.location.core.log_not_found) {
    logRequest(request, status === 500 ? CRIT : ERROR, `${call} "${path}" failed (${errorText(error)})`);
  }
  return status;
};
