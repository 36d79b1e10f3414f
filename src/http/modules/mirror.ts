/** `mirror`: each request is sent to further places, whose replies are thrown away (ngx_http_mirror). */
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { flag, wordAt } from '../../config/parsers.ts';
import { type Handler, httpModule } from '../module.ts';
import { resume } from '../phases.ts';
import { readBody } from '../read-body.ts';
import { contextKey, type Request } from '../request.ts';
import { DISCARD, subrequest } from '../subrequest.ts';
import { AGAIN, DECLINED } from '../verdict.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** The places, or none for `off`. */
const places: Parser<readonly string[]> = {
  arity: 1,
  repeats: true,
  parse(args, own) {
    const { text } = wordAt(args, 0);
    if (text === 'off' ? own !== undefined : own?.length === 0) args.failDirective('is duplicate');
    return text === 'off' ? [] : [...(own ?? []), text];
  },
};

const CONF = { output: DISCARD, headerOnly: true } as const;
const BEGUN = contextKey<boolean>('mirror');

const handler = (uris: readonly string[], withBody: boolean): Handler => {
  const send = (request: Request): void => {
    for (const uri of uris) {
      const copy = subrequest(request, uri, request.args, CONF);
      if (!copy) return;
      copy.method = request.method;
    }
  };
  const sendAndGoOn = (request: Request): void => {
    send(request);
    resume(request);
  };
  return (request) => {
    if (request !== request.main || request.context(BEGUN)) return DECLINED;
    request.setContext(BEGUN, true);
    if (withBody) {
      readBody(request, sendAndGoOn);
      return AGAIN;
    }
    send(request);
    return DECLINED;
  };
};

export const mirrorModule = httpModule({
  name: 'http_mirror',
  directives: {
    mirror: directive<readonly string[]>(places, { in: WHERE, initial: [] }),
    mirror_request_body: directive(flag, { in: WHERE, initial: true }),
  },
  phases: {
    precontent: ({ mirror: uris, mirror_request_body: withBody }) =>
      uris.length === 0 ? undefined : handler(uris, withBody),
  },
});
