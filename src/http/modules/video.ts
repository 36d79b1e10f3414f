/** What `flv` and `mp4` have in common: a video file is opened, and answers for its location. */
import { filePath } from '../file-path.ts';
import type { Handler } from '../module.ts';
import { OpenFailure, type OpenFile } from '../open-file.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import { DECLINED, type Verdict } from '../verdict.ts';
import { fileError } from './file-errors.ts';

const SLASH = 0x2f;

/** A location's handler that has `send` answer with the file; anything else is left to static files. */
export const videoHandler =
  (send: (request: Request, file: OpenFile) => Verdict): Handler =>
  (request) => {
    const { method, uri } = request;
    if (method !== 'GET' && method !== 'HEAD') return 405;
    if (uri.charCodeAt(uri.length - 1) === SLASH) return DECLINED;
    discardBody(request);
    const path = filePath(request);
    if (path === undefined) return 500;
    const file = request.location.core.opener.open(request, path);
    if (file instanceof OpenFailure) return fileError(request, file, path);
    if (file.stat.isFile()) return send(request, file);
    file.close();
    return DECLINED;
  };
