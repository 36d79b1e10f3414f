/** `client_body_early_read`: a request's body is read before anything else is done with it (ngx_http_read_early_body). */
import { directive } from '../../config/contract.ts';
import { ERROR } from '../../log/levels.ts';
import { type Handler, httpModule } from '../module.ts';
import { holds, predicate } from '../parsers.ts';
import { resume } from '../phases.ts';
import { readBody } from '../read-body.ts';
import { logRequest } from '../request-log.ts';
import type { Template } from '../template.ts';
import { AGAIN, DECLINED } from '../verdict.ts';

const handler =
  (predicates: readonly Template[]): Handler =>
  (request) => {
    const { contentLength, chunked } = request.headers;
    if (request.body !== undefined || (contentLength <= 0 && !chunked)) return DECLINED;
    if (!holds(predicates, request)) return DECLINED;
    const { client_max_body_size: most } = request.server.location.core;
    if (most > 0 && contentLength > most) {
      logRequest(request, ERROR, `client intended to send too large body: ${contentLength} bytes`);
      request.expectTested = true;
      return 413;
    }
    readBody(request, resume);
    return AGAIN;
  };

export const earlyReadModule = httpModule({
  name: 'http_early_read',
  directives: {
    client_body_early_read: directive(predicate, { in: ['http', 'server'], initial: [] }),
  },
  phases: {
    'post-read': ({ client_body_early_read: predicates }) =>
      predicates.length === 0 ? undefined : handler(predicates),
  },
});
