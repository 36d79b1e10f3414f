/** Access logs of requests whose path holds variables: below a site that is there, as `disable_symlinks` says. */
import { openSync } from 'node:fs';
import { CRIT, ERROR } from '../../log/levels.ts';
import { nativePath } from '../../platform/byte-path.ts';
import { appendGuarded } from '../../platform/open-at.ts';
import { type LogCacheConf, NamedLogFiles } from '../../values/log-path.ts';
import { documentRoot } from '../file-path.ts';
import { failureOf, OpenFailure, trustedLength } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';

export { type LogCacheConf, logCacheParser } from '../../values/log-path.ts';

const MODE = 0o644;

/** Opens a log for appending, as `disable_symlinks` says. Throws the system's error. */
const open = (request: Request, path: string): number => {
  const rule = request.location.core.disable_symlinks;
  const trusted = rule ? trustedLength(rule, request, path) : -1;
  return rule && trusted >= 0
    ? appendGuarded(path, rule.links, trusted, MODE)
    : openSync(nativePath(path), 'a', MODE);
};

/** A log is only written below a site that is there: a made-up host name makes no file. */
const rootExists = (request: Request): boolean => {
  const root = documentRoot(request);
  const found = request.location.core.opener.test(request, root);
  if (!(found instanceof OpenFailure) && found.isDirectory()) return true;
  const text = found instanceof OpenFailure ? found.text : '20: Not a directory';
  logRequest(request, ERROR, `testing "${root}" existence failed (${text})`);
  return false;
};

const failed = (request: Request, path: string, error: unknown): void => {
  const { call, text } = failureOf(error, 'open()');
  logRequest(request, CRIT, `${call} "${path}" failed (${text})`);
};

/** The files of one level's logs, some of them kept open. */
export class LogFiles extends NamedLogFiles<Request> {
  constructor(conf: LogCacheConf | false) {
    super(conf, open, failed);
  }

  override append(request: Request, path: string, line: string): void {
    if (rootExists(request)) super.append(request, path, line);
  }
}
