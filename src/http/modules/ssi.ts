/** `ssi`: commands in pages are followed (ngx_http_ssi_filter). */
import { type Context, directive } from '../../config/contract.ts';
import { flag, size } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { wallClock } from '../../net/timers.ts';
import { clearLastModified, clearTag, forgetLength, weakenTag } from '../changed-body.ts';
import { appendFilter } from '../filter-chain.ts';
import { hasType, type MimeTypes, mimeTypes, TEXT_HTML } from '../mime-types.ts';
import { httpModule } from '../module.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOTHING, NOWHERE, OWNED } from '../output.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { strftime } from '../strftime.ts';
import { joinSubrequests } from '../subrequest.ts';
import type { Variables } from '../variables.ts';
import {
  branch,
  declared,
  echo,
  paramsOf,
  type SsiParams,
  type SsiState,
  set,
  sourceOf,
} from './ssi-commands.ts';
import { FAILED, include, WAITS } from './ssi-include.ts';
import { pageOf } from './ssi-page.ts';
import { COMMAND, END, HELD, MALFORMED, type SsiCommand, SsiScanner, TEXT } from './ssi-scanner.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const TIME_FORMAT = '%A, %d-%b-%Y %H:%M:%S %Z';

interface SsiConf {
  readonly ssi_silent_errors: boolean;
  readonly ssi_value_length: number;
}

/** Bytes that are copied into one piece rather than written one by one. */
const TOGETHER = 16384;

const STATE = contextKey<SsiState>('ssi page');

/** What came while an include was waited for. */
interface Waiting {
  readonly bytes: Data;
  readonly flags: number;
}

class SsiFilter implements BodyFilter {
  next = NOWHERE;
  readonly #scanner: SsiScanner;
  readonly #state: SsiState = {
    encoding: 'entity',
    errorMessage: '[an error occurred while processing the directive]',
    timeFormat: TIME_FORMAT,
    output: true,
    chosen: false,
    conditional: 0,
    inBlock: false,
  };
  /** An include is waited for. */
  #waits = false;
  readonly #waiting: Waiting[] = [];
  /** What has been found in the present piece, and its bytes. */
  readonly #ready: Data[] = [];
  #length = 0;
  /** The bytes of the present piece may be kept. */
  #owned = 0;

  constructor(
    readonly request: Request,
    readonly conf: SsiConf,
    readonly variables: Variables,
  ) {
    const log = (reason: string): void => logRequest(request, ERROR, reason);
    this.#scanner = new SsiScanner(conf.ssi_value_length, log);
    request.setContext(STATE, this.#state);
  }

  write(request: Request, bytes: Data, flags: number): void {
    if (this.#waits) {
      this.#keep(bytes, flags);
      return;
    }
    this.#scanner.position = 0;
    this.#scan(request, bytes, flags);
  }

  #keep(bytes: Data, flags: number): void {
    this.#waiting.push({ bytes: (flags & OWNED) === 0 ? Buffer.from(bytes) : bytes, flags: flags | OWNED });
  }

  /** Goes through a piece from where the scanner stands; stops where an include must be waited for. */
  #scan(request: Request, bytes: Data, flags: number): void {
    const scanner = this.#scanner;
    this.#owned = flags & OWNED;
    for (let found = scanner.next(bytes); found !== END; found = scanner.next(bytes)) {
      if (found === TEXT) this.#text(bytes.subarray(scanner.from, scanner.to));
      else if (found === HELD) this.#text(Buffer.from('<!--'.slice(0, scanner.held)));
      else if (found === MALFORMED) this.#error();
      else if (found === COMMAND && this.#command(request, scanner.command)) {
        this.#waits = true;
        request.stalled = true;
        const rest = bytes.subarray(scanner.position);
        scanner.position = 0;
        // In front of whatever else comes meanwhile.
        this.#keep(rest, flags);
        return;
      }
      if (request.stream.broken) return;
    }
    if ((flags & LAST) !== 0 && scanner.rest !== '') this.#text(Buffer.from(scanner.rest));
    this.#pass(flags & (LAST | FLUSH));
  }

  /** The next piece of the page. */
  #text(bytes: Data): void {
    if (this.#state.output) this.#add(bytes);
    else if (this.#state.inBlock) pageOf(this.request).blocks.at(-1)?.pieces.push(Buffer.from(bytes));
  }

  #add(bytes: Data): void {
    this.#ready.push(bytes);
    this.#length += bytes.length;
  }

  /** Hands on what has been found so far, small pieces together. */
  #pass(end: number): void {
    const { request, next } = this;
    const ready = this.#ready;
    const owned = this.#owned;
    const [first] = ready;
    if (first === undefined) {
      if (end !== 0) next.write(request, NOTHING, end);
      return;
    }
    if (ready.length === 1) {
      next.write(request, first, end | owned);
    } else if (this.#length <= TOGETHER) {
      next.write(request, Buffer.concat(ready, this.#length), end | OWNED);
    } else {
      const last = ready.length - 1;
      for (let i = 0; i <= last; i++)
        next.write(request, ready[i] ?? NOTHING, i === last ? end | owned : owned);
    }
    ready.length = 0;
    this.#length = 0;
  }

  #error(): void {
    if (this.conf.ssi_silent_errors) return;
    this.#add(Buffer.from(this.#state.errorMessage, 'latin1'));
  }

  /** Follows a command. True: what comes behind it must wait. */
  #command(request: Request, command: SsiCommand): boolean {
    const state = this.#state;
    const known = declared(command.name);
    if (!known) {
      if (!state.output) return false;
      logRequest(request, ERROR, `invalid SSI command: "${command.name}"`);
      this.#error();
      return false;
    }
    if (!state.output && !known.endsBlock) {
      if (state.inBlock) {
        pageOf(request).blocks.at(-1)?.pieces.push(sourceOf(command));
        return false;
      }
      if (known.conditional === 0) return false;
    }
    const params = paramsOf(request, state, command, known);
    if (!params) {
      this.#error();
      return false;
    }
    return this.#run(request, command.name, params);
  }

  #run(request: Request, name: string, params: SsiParams): boolean {
    const state = this.#state;
    switch (name) {
      case 'include': {
        // What stands before it waits for it where it is little: for that the place must be there.
        if (request === request.main) joinSubrequests(request);
        this.#pass(0);
        const outcome = include(request, this.variables, params, () => this.#goOn());
        if (outcome === FAILED) this.#error();
        return outcome === WAITS;
      }
      case 'echo': {
        const text = echo(request, this.variables, state, params);
        if (text !== '') this.#add(Buffer.from(text, 'latin1'));
        return false;
      }
      case 'config':
        state.timeFormat = params.get('timefmt') ?? state.timeFormat;
        state.errorMessage = params.get('errmsg') ?? state.errorMessage;
        return false;
      case 'set':
        if (!set(request, this.variables, params)) this.#error();
        return false;
      case 'if':
      case 'elif':
        if (!branch(request, this.variables, state, params, name)) this.#error();
        return false;
      case 'else':
        state.output = !state.chosen;
        state.conditional = 2;
        return false;
      case 'endif':
        state.output = true;
        state.chosen = false;
        state.conditional = 0;
        return false;
      case 'block':
        pageOf(request).blocks.push({ name: params.get('name') ?? '', pieces: [] });
        state.output = false;
        state.inBlock = true;
        return false;
      default:
        state.output = true;
        state.inBlock = false;
        return false;
    }
  }

  /** What was waited for is there. */
  #goOn(): void {
    const { request } = this;
    this.#waits = false;
    request.stalled = false;
    for (let piece = this.#waiting.shift(); piece; piece = this.#waiting.shift()) {
      this.#scanner.position = 0;
      this.#scan(request, piece.bytes, piece.flags);
      if (this.#waits) {
        // What is left of the piece was put behind the others.
        const rest = this.#waiting.pop();
        if (rest) this.#waiting.unshift(rest);
        return;
      }
    }
    if (!request.finished) request.producer?.resumeOutput(request);
  }
}

/** A time in the page's own format. */
const date = (request: Request, gmt: boolean): string =>
  strftime(request.context(STATE)?.timeFormat ?? TIME_FORMAT, Math.floor(wallClock() / 1000), gmt);

export const ssiModule = httpModule({
  name: 'http_ssi_filter',
  directives: {
    ssi: directive(flag, { in: [...WHERE, 'if-in-location'], initial: false }),
    ssi_silent_errors: directive(flag, { in: WHERE, initial: false }),
    ssi_ignore_recycled_buffers: directive(flag, { in: WHERE, initial: false }),
    ssi_min_file_chunk: directive(size, { in: WHERE, initial: 1024 }),
    ssi_value_length: directive(size, { in: WHERE, initial: 255 }),
    ssi_last_modified: directive(flag, { in: WHERE, initial: false }),
    ssi_types: directive<MimeTypes>(mimeTypes, { in: WHERE, initial: TEXT_HTML }),
  },
  variables: {
    date_local: { get: (request) => date(request, false) },
    date_gmt: { get: (request) => date(request, true) },
  },
  filtersSubrequests: true,
  headerFilter(conf, { build }) {
    if (!conf.ssi) return undefined;
    const { variables } = build;
    return (request) => {
      const { out } = request;
      if (out.contentLength === 0 || !hasType(conf.ssi_types, out)) return;
      appendFilter(request, new SsiFilter(request, conf, variables));
      if (request !== request.main) return;
      forgetLength(out);
      if (conf.ssi_last_modified) {
        weakenTag(out);
      } else {
        clearLastModified(out);
        clearTag(out);
      }
    };
  },
});
