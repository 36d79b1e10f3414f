/** `ssi`: commands in pages are followed (ngx_http_ssi_filter). */
import { type Context, directive } from '../../config/contract.ts';
import { flag, size } from '../../config/parsers.ts';
import { ERROR } from '../../log/levels.ts';
import { textBetween } from '../../net/latin1.ts';
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
import type { SsiCommand } from './ssi-command.ts';
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
import { COMMAND, END, HELD, MALFORMED, SsiScanner, TEXT } from './ssi-scanner.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const TIME_FORMAT = '%A, %d-%b-%Y %H:%M:%S %Z';

interface SsiConf {
  readonly ssi_silent_errors: boolean;
  readonly ssi_value_length: number;
}

/** Pieces up to this size are copied into one rather than written one by one. */
const TOGETHER = 16384;
/** What a command begins with, longer than any part of it that turns out to be text. */
const OPENING = Buffer.from('<!--# ');

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
  /** What has been found in the present piece of the body, and is to leave together: text, or a long piece. */
  #text = '';
  #long: Data | undefined = undefined;
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
      if (found === TEXT) this.#add(bytes, scanner.from, scanner.to);
      else if (found === HELD) this.#add(OPENING, 0, scanner.held);
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
    if ((flags & LAST) !== 0 && scanner.rest !== '') this.#add(OPENING, 0, scanner.rest.length);
    this.#pass(flags & (LAST | FLUSH));
  }

  /** The next piece of the page, which stands in `bytes`. */
  #add(bytes: Data, from: number, to: number): void {
    if (!this.#state.output) {
      if (this.#state.inBlock)
        pageOf(this.request)
          .blocks.at(-1)
          ?.pieces.push(Buffer.from(bytes.subarray(from, to)));
      return;
    }
    if (to - from <= TOGETHER && to - from < bytes.length) {
      this.#addText(textBetween(bytes, from, to));
      return;
    }
    this.#pass(0);
    this.#long = bytes.subarray(from, to);
  }

  #addText(text: string): void {
    if (this.#long || this.#text.length > TOGETHER) this.#pass(0);
    this.#text += text;
  }

  /** Hands on what has been found so far. */
  #pass(end: number): void {
    const { request, next } = this;
    const text = this.#text;
    const long = this.#long;
    if (text !== '') {
      this.#text = '';
      next.write(request, Buffer.from(text, 'latin1'), end | OWNED);
    } else if (long) {
      this.#long = undefined;
      next.write(request, long, end | this.#owned);
    } else if (end !== 0) {
      next.write(request, NOTHING, end);
    }
  }

  #error(): void {
    if (!this.conf.ssi_silent_errors) this.#addText(this.#state.errorMessage);
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
        this.#addText(text);
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
