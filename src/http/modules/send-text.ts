/** A whole reply that the configuration holds: `return CODE TEXT` and its like (ngx_http_send_response). */
import { setContentType } from '../content-type.ts';
import { finalize, sendHeader } from '../finalize.ts';
import { type Data, LAST, OWNED } from '../output.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import type { Template } from '../template.ts';
import { DONE, OK, type Verdict } from '../verdict.ts';

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Sends a body that is all there; the status, type and length have been set. The request is finalized. */
export const sendBytes = (request: Request, bytes: Data): Verdict => {
  discardBody(request);
  if (!sendHeader(request)) return DONE;
  if (!request.headerOnly) request.sink.write(request, bytes, LAST | OWNED);
  finalize(request, OK);
  return DONE;
};

/** The handler of `return`: a redirect to `text`, or `text` itself with the type of the URI. */
export const sendText = (status: number, text: Template): ((request: Request) => Verdict) => {
  if (REDIRECTS.has(status)) {
    return (request) => {
      const { out } = request;
      out.status = status;
      out.redirectTo(text.text(request));
      return status;
    };
  }
  const fixed = text.constant === undefined ? undefined : Buffer.from(text.constant, 'latin1');
  return (request) => {
    // First: `$status` in the text is this one.
    request.out.status = status;
    const body = text.text(request);
    request.out.contentLength = body.length;
    setContentType(request);
    discardBody(request);
    if (!sendHeader(request)) return DONE;
    if (request.sink === request.stream) request.stream.writeText(request, body);
    else if (!request.headerOnly)
      request.sink.write(request, fixed ?? Buffer.from(body, 'latin1'), LAST | OWNED);
    finalize(request, OK);
    return DONE;
  };
};
