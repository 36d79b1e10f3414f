/** What a failed call on a file means for a WebDAV client and for the log (RFC 4918). */
import { CRIT, ERROR } from '../../log/levels.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { isAbsent } from './file-errors.ts';

/** Logs the failure of `call` on `path` and answers its status; `absent` is the one for what is not there. */
export const davError = (
  request: Request,
  error: unknown,
  absent: number,
  call: string,
  path: string,
): number => {
  const code = errorCode(error);
  let level = ERROR;
  let status = absent;
  if (!isAbsent(code)) {
    if (code === 'EACCES' || code === 'EPERM') status = 403;
    else if (code === 'EEXIST') status = 405;
    else {
      level = CRIT;
      status = code === 'ENOSPC' ? 507 : 500;
    }
  }
  logRequest(request, level, `${call}() "${path}" failed (${errorText(error)})`);
  return status;
};
