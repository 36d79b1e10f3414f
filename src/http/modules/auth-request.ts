/** `auth_request`: a subrequest decides who may come in (ngx_http_auth_request). */
import { type Context, directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { HTTP } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import { templateAt } from '../parsers.ts';
import { resume } from '../phases.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DISCARD, subrequest } from '../subrequest.ts';
import type { Template } from '../template.ts';
import { AGAIN, OK, ERROR as TERMINATE, type Verdict } from '../verdict.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** `auth_request_set $name value`: told by the subrequest's reply. */
interface Told {
  readonly value: Template;
  assign(request: Request, text: string): void;
}

const toldValues: Parser<readonly Told[]> = {
  arity: 2,
  repeats: true,
  parse(args, own = []) {
    const name = wordAt(args, 0);
    if (!name.text.startsWith('$')) args.fail(`invalid variable name "${name.text}"`, name);
    const { variables } = args.scope.need(HTTP);
    const bare = name.text.slice(1);
    const { slot } = variables.settable(bare, args.place);
    const set = variables.lookup(bare)?.set;
    const assign = (request: Request, text: string): void => {
      request.values[slot] = text;
      set?.(request, text);
    };
    return [...own, { value: templateAt(args, 1), assign }];
  },
};

/** What the subrequest has come to; 0 while it runs. */
interface Answer {
  status: number;
  asked: Request | undefined;
}
const ANSWER = contextKey<Answer>('auth_request');

/** The challenges of the reply, or of the upstream server behind it, go to the client. */
const copyChallenges = (request: Request, asked: Request): void => {
  const { lines } = asked.out;
  let found = false;
  for (let i = 0; i < lines.length; i += 2) {
    if (lines[i]?.toLowerCase() !== 'www-authenticate') continue;
    request.out.add(lines[i] ?? '', lines[i + 1] ?? '');
    found = true;
  }
  const head = asked.upstream?.head;
  if (found || !head) return;
  for (let i = 0; i < head.names.length; i++) {
    const name = head.names[i];
    if (name?.lower === 'www-authenticate') request.out.add(name.text, head.values[i] ?? '');
  }
};

const judge = (request: Request, { status, asked }: Answer): Verdict => {
  if (status === 403) return status;
  if (status === 401) {
    if (asked) copyChallenges(request, asked);
    return status;
  }
  if (status >= 200 && status < 300) return OK;
  // An exchange with an upstream that has just ended leaves nginx sending.
  const action = asked?.upstream && asked.upstream.uri === undefined ? ' while sending to client' : '';
  logRequest(request, ERROR, `auth request unexpected status: ${status}${action}`);
  return 500;
};

const handler = (uri: string, told: readonly Told[]): Handler => {
  const ask = (request: Request, answer: Answer): Verdict => {
    answer.asked = subrequest(request, uri, '', {
      output: DISCARD,
      headerOnly: true,
      ended(asked) {
        answer.status = asked.out.status;
        resume(request);
      },
    });
    if (!answer.asked) return TERMINATE;
    // Its body, where it has been read already, is for the request itself.
    answer.asked.body = undefined;
    return AGAIN;
  };
  return (request) => {
    const answer = request.context(ANSWER);
    if (answer) {
      if (answer.status === 0 || !answer.asked) return AGAIN;
      for (const { value, assign } of told) assign(request, value.text(answer.asked));
      return judge(request, answer);
    }
    const begun: Answer = { status: 0, asked: undefined };
    request.setContext(ANSWER, begun);
    return ask(request, begun);
  };
};

const uriOrOff: Parser<string> = {
  arity: 1,
  parse(args) {
    const { text } = wordAt(args, 0);
    return text === 'off' ? '' : text;
  },
};

export const authRequestModule = httpModule({
  name: 'http_auth_request',
  directives: {
    auth_request: directive(uriOrOff, { in: WHERE, initial: '' }),
    auth_request_set: directive<readonly Told[]>(toldValues, { in: WHERE, initial: [] }),
  },
  phases: {
    access: ({ auth_request: uri, auth_request_set: told }) => (uri === '' ? undefined : handler(uri, told)),
  },
});
