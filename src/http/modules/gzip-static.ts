/** `gzip_static`: the file beside the one asked for that holds it compressed, `NAME.gz` (ngx_http_gzip_static). */
import { type Context, directive } from '../../config/contract.ts';
import { enumOf } from '../../config/parsers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { filePath } from '../file-path.ts';
import { gzipOk } from '../gzip-accept.ts';
import { type Handler, httpModule } from '../module.ts';
import { OpenFailure, type OpenFile } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, type Verdict } from '../verdict.ts';
import { isAbsent, isForbidden } from './file-errors.ts';
import { sendFile } from './static.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const SLASH = 0x2f;

/** Sends the file when it is one, to a client that takes it. */
const serve = (request: Request, file: OpenFile, takesGzip: boolean): Verdict => {
  const { stat, path } = file;
  if (takesGzip && stat.isFile()) {
    request.out.contentEncoding = 'gzip';
    return sendFile(request, file);
  }
  file.close();
  if (!takesGzip || stat.isDirectory()) return DECLINED;
  logRequest(request, CRIT, `"${path}" is not a regular file`);
  return 404;
};

/** `asks`: only clients that say so are sent what is compressed. */
const handler =
  (asks: boolean): Handler =>
  (request) => {
    const { method, uri } = request;
    if (method !== 'GET' && method !== 'HEAD') return DECLINED;
    if (uri.charCodeAt(uri.length - 1) === SLASH) return DECLINED;
    const { core } = request.location;
    const takesGzip = !asks || gzipOk(request);
    // Others are told by Vary that there is such a file.
    if (!takesGzip && !core.gzip_vary) return DECLINED;
    const plain = filePath(request);
    if (plain === undefined) return 500;
    const path = `${plain}.gz`;
    const file = core.opener.open(request, path);
    if (file instanceof OpenFailure) {
      const { code, call, text } = file;
      if (!isAbsent(code)) {
        logRequest(request, isForbidden(code) ? ERROR : CRIT, `${call} "${path}" failed (${text})`);
      }
      return DECLINED;
    }
    if (asks) request.out.gzipVary = true;
    return serve(request, file, takesGzip);
  };

export const gzipStaticModule = httpModule({
  name: 'http_gzip_static',
  directives: {
    gzip_static: directive(enumOf('off', 'on', 'always'), { in: WHERE, initial: 'off' }),
  },
  phases: {
    content: ({ gzip_static: mode }) => (mode === 'off' ? undefined : handler(mode === 'on')),
  },
});
