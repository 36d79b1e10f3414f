/**
 * The header block of a request to an HTTP/2 server, made by a function that is compiled for a location when the
 * configuration is loaded.
 */
import type { HeaderName } from '../../../http/headers.ts';
import { field, string } from '../../../http/http2/hpack-encoder.ts';
import type { Request } from '../../../http/request.ts';
import type { Template } from '../../../http/template.ts';
import type { SetHeader } from '../http/request-head.ts';

/** Pseudo-headers by their index in the static table, and as literals by that of their names. */
const GET = '\x82';
const POST = '\x83';
const ROOT = '\x84';
const SCHEME_HTTP = '\x86';
const SCHEME_HTTPS = '\x87';
const METHOD = '\x02';
const PATH = '\x04';
const AUTHORITY = '\x01';

/** A line of `proxy_set_header`, its value as it is sent where that is known. */
interface Line {
  readonly name: string;
  readonly value: Template;
  readonly field: string | undefined;
}

/** Names of the client's lines that are not passed on. */
export interface Names {
  has(name: HeaderName): boolean;
}

/** What a location's configuration says about the lines of its requests. */
export interface BlockOptions {
  readonly setHeaders: readonly SetHeader[];
  readonly passHeaders: boolean;
  readonly excluded: Names;
}

/** What differs from request to request. */
export interface BlockParts {
  readonly method: string;
  readonly secure: boolean;
  readonly path: string;
  /** Where no `Host` is set, or an empty one. */
  readonly authority: string;
  /** Lines that are not the client's, behind those that are set: name, value, name, value ... */
  readonly added: readonly string[];
}

export type BlockBuilder = (request: Request, parts: BlockParts) => string;

const methodField = (method: string): string => {
  if (method === 'GET') return GET;
  return method === 'POST' ? POST : METHOD + string(method);
};

/** Compiles the function that makes the blocks of a location's requests. */
export const compileBlock = ({ setHeaders, passHeaders, excluded }: BlockOptions): BlockBuilder => {
  const isHost = ({ name }: SetHeader): boolean => name.toLowerCase() === 'host';
  const host = setHeaders.findLast(isHost)?.value;
  const lines = setHeaders
    .filter((header) => !isHost(header) && header.value.constant !== '')
    .map(({ name, value }): Line => {
      const lower = name.toLowerCase();
      const { constant } = value;
      return { name: lower, value, field: constant === undefined ? undefined : field(lower, constant) };
    });

  return (request, { method, secure, path, authority, added }) => {
    let block = methodField(method) + (secure ? SCHEME_HTTPS : SCHEME_HTTP);
    block += path === '/' ? ROOT : PATH + string(path);
    block += AUTHORITY + string(host?.text(request) || authority);
    for (const line of lines) {
      if (line.field !== undefined) {
        block += line.field;
        continue;
      }
      const value = line.value.text(request);
      if (value !== '') block += field(line.name, value);
    }
    for (let i = 0; i < added.length; i += 2) block += field(added[i] ?? '', added[i + 1] ?? '');
    if (!passHeaders) return block;
    const { names, values } = request.headers;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (name && !excluded.has(name)) block += field(name.lower, values[i] ?? '');
    }
    return block;
  };
};
