/** `stub_status`: how many connections and requests there are, over all workers (ngx_http_stub_status). */
import { type Args, directive } from '../../config/contract.ts';
import { COUNTERS_BYTES } from '../../zone/counters.ts';
import { zonesOf } from '../../zone/zones.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import type { VariableDefinition } from '../variables.ts';
import type { Verdict } from '../verdict.ts';
import { sendBytes } from './send-text.ts';

const page = ({ stream: { counters } }: Request): string =>
  `Active connections: ${counters.active} \n` +
  'server accepts handled requests\n' +
  ` ${counters.accepted} ${counters.handled} ${counters.requests} \n` +
  `Reading: ${counters.readingNow} Writing: ${counters.writingNow} Waiting: ${counters.waitingNow} \n`;

const serve = (request: Request): Verdict => {
  const { method, out } = request;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  const bytes = Buffer.from(page(request), 'latin1');
  out.status = 200;
  out.contentType = 'text/plain';
  out.contentLength = bytes.length;
  return sendBytes(request, bytes);
};

const counter = (name: 'active' | 'readingNow' | 'writingNow' | 'waitingNow'): VariableDefinition => ({
  get: ({ stream }) => `${stream.counters[name]}`,
});

/** All workers count in one place as soon as somebody asks for the page. No name of a user's holds a space. */
const shareCounters = (args: Args): true => {
  const build = args.scope.need(HTTP);
  build.counterZone ??= zonesOf(args.scope).declare(
    'client counters',
    COUNTERS_BYTES,
    'stub_status',
    (reason) => args.fail(reason),
  );
  return true;
};

export const stubStatusModule = httpModule({
  name: 'http_stub_status',
  directives: {
    stub_status: directive<boolean>(
      { arity: [0, 1], repeats: true, parse: shareCounters },
      { in: ['server', 'location'], initial: false, merge: (own) => own ?? false },
    ),
  },
  variables: {
    connections_active: counter('active'),
    connections_reading: counter('readingNow'),
    connections_writing: counter('writingNow'),
    connections_waiting: counter('waitingNow'),
  },
  prepare: ({ counters, counterZone }) => {
    if (counterZone) counters.share(counterZone.memory);
  },
  content: ({ stub_status: on }) => (on ? serve : undefined),
});
