/** The `include` of SSI: another location's reply in the page, in a variable, or a block in its place. */
import { ERROR } from '../../log/levels.ts';
import { sendHeader } from '../finalize.ts';
import { MemoryOutput } from '../memory-output.ts';
import { LAST, NOTHING } from '../output.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { IN_TURN, type SubrequestConf, subrequest } from '../subrequest.ts';
import { trustedUri } from '../trusted-uri.ts';
import type { Variables } from '../variables.ts';
import { ERROR as CUT, OK, type Verdict } from '../verdict.ts';
import type { SsiParams } from './ssi-commands.ts';
import { besidePage, evaluateSsi, pageOf, type StoredBlock } from './ssi-page.ts';

/** The include can't be followed. */
export const FAILED = 'failed';
/** The page goes on when the included one is there. */
export const WAITS = 'waits';
export const GOES_ON = 'goes on';

/** What `wait` says; undefined when it says neither. */
const waitOf = (text: string | undefined): boolean | undefined => {
  const lower = text?.toLowerCase();
  if (lower === undefined || lower === 'no') return false;
  return lower === 'yes' ? true : undefined;
};

/** Whether a reply stays without a body, and its block stands in for it. */
const stubConf = (parent: Request, block: StoredBlock): SubrequestConf => {
  let done = false;
  return {
    output: IN_TURN,
    verdictOf(request: Request, verdict: Verdict): Verdict {
      if (done || verdict === CUT || request.stream.broken || request.bodySent > 0) return verdict;
      done = true;
      if (!request.headerSent) {
        request.out.contentType = parent.out.contentType;
        if (!sendHeader(request)) return verdict;
      }
      for (const piece of block.pieces) request.sink.write(request, piece, 0);
      // An error's own page is not made: the block is the reply.
      if (!request.outputDone) request.sink.write(request, NOTHING, LAST);
      return OK;
    },
  };
};

const setConf = (parent: Request, name: string): SubrequestConf => {
  const output = new MemoryOutput();
  return {
    output,
    verdictOf(request: Request, verdict: Verdict): Verdict {
      if (request.out.status < 300 && !output.empty) pageOf(parent).variables.set(name, output.text);
      return verdict;
    },
  };
};

const JOINED: SubrequestConf = { output: IN_TURN };

/** Begins the include; `ended` is called when what was waited for is there. */
export const include = (
  request: Request,
  variables: Variables,
  params: SsiParams,
  ended: () => void,
): typeof FAILED | typeof WAITS | typeof GOES_ON => {
  const fail = (reason: string): typeof FAILED => {
    logRequest(request, ERROR, reason);
    return FAILED;
  };
  const virtual = params.get('virtual');
  const file = params.get('file');
  const set = params.get('set');
  const stub = params.get('stub');
  if (virtual !== undefined && file !== undefined) {
    return fail(`inclusion may be either virtual="${virtual}" or file="${file}"`);
  }
  const source = virtual ?? file;
  if (source === undefined) return fail('no parameter in "include" SSI command');
  if (set !== undefined && stub !== undefined) {
    return fail('"set" and "stub" cannot be used together in "include" SSI command');
  }
  const wait = params.get('wait');
  if (wait !== undefined && virtual === undefined) return fail(`"wait" cannot be used with file="${source}"`);
  const waits = waitOf(wait);
  if (waits === undefined) return fail(`invalid value "${wait}" in the "wait" parameter`);
  const text = evaluateSsi(request, variables, source);
  if (text === undefined) return FAILED;
  const written = besidePage(request, text);
  const target = trustedUri(written);
  if (!target) return fail(`unsafe URI "${written}" was detected`);

  let conf = JOINED;
  if (stub !== undefined) {
    const block = pageOf(request).blocks.find(({ name }) => name === stub);
    if (!block) return fail(`"stub"="${stub}" for "include" not found`);
    conf = stubConf(request, block);
  }
  if (set !== undefined) {
    const name = set.toLowerCase();
    const page = pageOf(request);
    if (!page.variables.has(name)) page.variables.set(name, '');
    conf = setConf(request, name);
  }
  const holds = waits || virtual === undefined || set !== undefined;
  if (holds) conf = { ...conf, ended };
  if (!subrequest(request, target.uri, target.args, conf)) return FAILED;
  return holds ? WAITS : GOES_ON;
};
