/** What a file that can't be opened means for the client and the log. */
import { CRIT, ERROR } from '../../log/levels.ts';
import type { OpenFailure } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

const ABSENT = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG']);
const FORBIDDEN = new Set(['EACCES', 'EMLINK', 'ELOOP']);

/** Whether the code of a system error says that there is no such file. */
export const isAbsent = (code: string): boolean => ABSENT.has(code);

/** Whether the code says that the file is there, but not for us. */
export const isForbidden = (code: string): boolean => FORBIDDEN.has(code);

/** Logs why a file can't be opened, unless `log_not_found` is off and it is not there; answers 404, 403 or 500. */
export const fileError = (request: Request, { code, text, call }: OpenFailure, path: string): number => {
  const status = ABSENT.has(code) ? 404 : FORBIDDEN.has(code) ? 403 : 500;
  if (status !== 404 || request.location.core.log_not_found) {
    logRequest(request, status === 500 ? CRIT : ERROR, `${call} "${path}" failed (${text})`);
  }
  return status;
};
