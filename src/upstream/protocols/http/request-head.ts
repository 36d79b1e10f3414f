/**
 * The head of a request to an HTTP/1 server, made by a function that is compiled for a location when the
 * configuration is loaded: what is fixed is joined, what is not passed on is known by number.
 */
import type { Place } from '../../../config/contract.ts';
import { KNOWN } from '../../../http/header-names.ts';
import type { HeaderName } from '../../../http/headers.ts';
import type { Request } from '../../../http/request.ts';
import type { Template } from '../../../http/template.ts';
import { requestUri, type Target } from './target.ts';

/** `proxy_set_header`: a line to send; an empty value keeps the client's line of that name from being sent. */
export interface SetHeader {
  readonly name: string;
  readonly value: Template;
  /** Where it is written. */
  readonly place: Place;
}

/** What a location's configuration says about its requests. */
export interface HeadOptions {
  /** 1000 or 1001. */
  readonly version: number;
  readonly setHeaders: readonly SetHeader[];
  readonly method: Template | undefined;
  /** `proxy_set_body`: sent in place of the client's body. */
  readonly body: Template | undefined;
  readonly passHeaders: boolean;
}

/** What the engine says about the body that it sends. */
export interface SentBody {
  readonly hasBody: boolean;
  /** -1: not known beforehand. */
  readonly bodyLength: number;
  /** The reply is to be kept: the client's conditions and ranges are not passed on. */
  readonly cacheable?: boolean;
  /** HEAD is sent as GET. */
  readonly asGet?: boolean;
}

export type HeadBuilder = (request: Request, sent: SentBody, target: Target) => string;

/** The client's lines of these names are not passed on. */
const DROPPED = [
  'host',
  'connection',
  'proxy-connection',
  'content-length',
  'transfer-encoding',
  'te',
  'keep-alive',
  'expect',
  'upgrade',
] as const;

/** A line whose value is made for each request, and the fixed lines before it. */
interface Line {
  readonly before: string;
  readonly name: string;
  readonly text: (request: Request) => string;
}

/** The lines of proxy_set_header but Host. */
interface Lines {
  readonly changing: readonly Line[];
  readonly after: string;
}

const compileLines = (headers: readonly SetHeader[]): Lines => {
  const changing: Line[] = [];
  let before = '';
  for (const { name, value } of headers) {
    if (value.constant === '') continue;
    if (value.constant !== undefined) {
      before += `${name}: ${value.constant}\r\n`;
    } else {
      changing.push({ before, name: `${name}: `, text: value.text });
      before = '';
    }
  }
  return { changing, after: before };
};

/** `: ` and CR LF. */
const LINE_MARKS = 4;

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(KNOWN));

/** The names that the client's lines are compared with: by number where they are known, else by text. */
export class NameSet {
  readonly #known = new Uint8Array(256);
  readonly #others = new Set<string>();

  constructor(names: readonly string[]) {
    for (const name of names) {
      const lower = name.toLowerCase();
      const known = NUMBERS.get(lower);
      if (known === undefined) this.#others.add(lower);
      else this.#known[known] = 1;
    }
  }

  has(name: HeaderName): boolean {
    return name.known !== 0 ? this.#known[name.known] === 1 : this.#others.has(name.lower);
  }

  /** The client's lines without the excluded ones; lines that stand together as they are sent are taken together. */
  passOn({ headers }: Request): string {
    const { names, values, starts } = headers;
    const known = this.#known;
    const others = this.#others.size > 0 ? this.#others : undefined;
    let text = '';
    let from = -1;
    let to = -1;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (!name) break;
      if (name.known !== 0 ? known[name.known] === 1 : others?.has(name.lower)) continue;
      const value = values[i] ?? '';
      const start = starts[i] ?? -1;
      if (start !== to || start < 0) {
        if (from >= 0) text += headers.text.slice(from, to);
        from = start;
      }
      if (start < 0) {
        text += `${name.text}: ${value}\r\n`;
        to = -1;
      } else {
        to = start + name.text.length + value.length + LINE_MARKS;
      }
    }
    return from < 0 ? text : text + headers.text.slice(from, to);
  }
}

let last = { names: '', exclusions: new NameSet(DROPPED) };

/** What is not passed on where `names` are set. Thousands of locations set the same: the last one is kept. */
export const exclusionsOf = (names: readonly string[]): NameSet => {
  const text = names.join('\n');
  if (text !== last.names) last = { names: text, exclusions: new NameSet([...DROPPED, ...names]) };
  return last.exclusions;
};

/** Bytes of the body that is sent; -1: it is sent in chunks; undefined: nothing is said about it. */
export const bodyLength = (request: Request, sent: SentBody): number | undefined => {
  const { contentLength, chunked } = request.headers;
  if (!chunked) return contentLength < 0 ? undefined : contentLength;
  if (sent.hasBody) return sent.bodyLength;
  return request.body?.length ?? 0;
};

const framing = (request: Request, sent: SentBody): string => {
  const length = bodyLength(request, sent);
  if (length === undefined) return '';
  return length < 0 ? 'Transfer-Encoding: chunked\r\n' : `Content-Length: ${length}\r\n`;
};

const sets = (headers: readonly SetHeader[], lower: string): boolean =>
  headers.some(({ name }) => name.toLowerCase() === lower);

/** Compiles the function that makes the heads of a location's requests. */
export const compileHead = (options: HeadOptions): HeadBuilder => {
  const { setHeaders, method, body, passHeaders } = options;
  const isHost = ({ name }: SetHeader): boolean => name.toLowerCase() === 'host';
  const host = setHeaders.findLast(isHost)?.value;
  const hostNeeded = options.version === 1001;
  const { changing, after } = compileLines(setHeaders.filter((header) => !isHost(header)));
  const exclusions = exclusionsOf(setHeaders.map(({ name }) => name));
  const ownLength = sets(setHeaders, 'content-length');
  const ownEncoding = sets(setHeaders, 'transfer-encoding');
  const version = options.version === 1001 ? ' HTTP/1.1\r\n' : ' HTTP/1.0\r\n';

  const hostLine = (request: Request, target: Target): string => {
    let text = host ? host.text(request) : target.hostHeader;
    if (text === '' && hostNeeded) text = target.hostHeader;
    return text === '' ? '' : `Host: ${text}\r\n`;
  };
  const framingLine = (request: Request, sent: SentBody): string => {
    const line = framing(request, sent);
    const own = line.startsWith('C') ? ownLength : ownEncoding;
    return own ? '' : line;
  };
  return (request, sent, target) => {
    let text = `${sent.asGet ? 'GET' : method ? method.text(request) : request.method} ${requestUri(request, target)}${version}`;
    text += host ? hostLine(request, target) : target.hostLine;
    for (let i = 0; i < changing.length; i++) {
      const line = changing[i];
      if (!line) break;
      text += line.before;
      const value = line.text(request);
      if (value !== '') text += `${line.name}${value}\r\n`;
    }
    text += after;
    if (body) {
      const own = body.text(request);
      if (!ownLength) text += `Content-Length: ${own.length}\r\n`;
      return `${text}${passHeaders ? exclusions.passOn(request) : ''}\r\n${own}`;
    }
    if (request.headers.contentLength >= 0 || request.headers.chunked) text += framingLine(request, sent);
    return passHeaders ? `${text}${exclusions.passOn(request)}\r\n` : `${text}\r\n`;
  };
};
