/** Variables of the request as the client sent it and as rewrites changed it. */
import { randomFillSync } from 'node:crypto';
import { parseSize } from '../../config/numbers.ts';
import { ERROR } from '../../log/levels.ts';
import { documentRoot, realpathRoot, requestFilename } from '../file-path.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Value, VariableDefinition } from '../variables.ts';
import { basicCredentials } from './basic-credentials.ts';
import { argumentValue, cookieValue, requestHeader } from './header-value.ts';

type Definitions = Readonly<Record<string, VariableDefinition>>;

/** A text that is not found while it is empty. */
const present = (text: string): Value => (text === '' ? undefined : text);

const headerVariable = (wanted: string): VariableDefinition => {
  const find = requestHeader(wanted);
  return { get: ({ headers }) => find(headers) };
};

/** A family of variables whose value is found by what stands behind the prefix, prepared once. */
const family = (length: number, find: (name: string) => (request: Request) => Value): VariableDefinition => ({
  get: (request, name) => find(name.slice(length))(request),
  bind: (name) => find(name.slice(length)),
});

/** 128 random bits in hexadecimal, drawn from a pool so that a request does not cost a call for random bytes. */
class Ids {
  readonly #pool = Buffer.allocUnsafeSlow(4096);
  #next = this.#pool.length;

  take(): string {
    if (this.#next === this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    const from = this.#next;
    this.#next += 16;
    return this.#pool.toString('hex', from, this.#next);
  }
}
const ids = new Ids();

/** As the client wrote it, up to the end of its line: `HTTP/1.01` is a version of its own spelling. */
const protocolOf = ({ version, main }: Request): string | undefined => {
  if (version < 1000) return undefined;
  const { requestLine } = main;
  if (version === 1001 && requestLine.endsWith(' HTTP/1.1')) return 'HTTP/1.1';
  if (version < 2000) return requestLine.slice(requestLine.lastIndexOf(' HTTP/') + 1);
  return `HTTP/${Math.floor(version / 1000)}.${version % 1000}`;
};

const contentLength = ({ headers, body }: Request): Value => {
  if (headers.contentLength >= 0) return `${headers.contentLength}`;
  return headers.chunked && body?.complete ? `${body.length}` : undefined;
};

const requestBody = ({ body }: Request): Value =>
  body && body.pieces.length > 0 && !body.file ? Buffer.concat(body.pieces).latin1Slice() : undefined;

const setLimitRate = (request: Request, text: string): void => {
  const rate = parseSize(text);
  if (rate === undefined) logRequest(request, ERROR, `invalid $limit_rate "${text}"`);
  else request.limitRate = rate;
};

/** Whether the request line could be read, though its target may have been too bad to be decoded. */
const lineRead = ({ target, requestLength, version }: Request): boolean =>
  target !== '' || (requestLength > 0 && version < 2000);

const uri: VariableDefinition = {
  get: (request) => (request.uri !== '' || lineRead(request) ? request.uri : undefined),
};
const args: VariableDefinition = { get: (request) => present(request.args) };

export const requestVariables: Definitions = {
  http_: family(5, (name) => {
    const find = requestHeader(name);
    return ({ headers }) => find(headers);
  }),
  http_host: headerVariable('host'),
  http_user_agent: headerVariable('user_agent'),
  http_referer: headerVariable('referer'),
  http_via: headerVariable('via'),
  http_x_forwarded_for: headerVariable('x_forwarded_for'),
  http_cookie: headerVariable('cookie'),
  cookie_: family(
    7,
    (name) =>
      ({ headers }) =>
        cookieValue(headers, name),
  ),
  arg_: family(
    4,
    (name) => (request) => (request.args === '' ? undefined : argumentValue(request.args, name)),
  ),
  args: {
    ...args,
    changeable: true,
    set(request, value) {
      request.args = value;
      request.validTarget = false;
    },
  },
  query_string: args,
  is_args: { get: (request) => (request.args === '' ? '' : '?') },
  uri,
  document_uri: uri,
  request: { get: (request) => present(request.requestLine) },
  request_uri: { get: (request) => present(request.target) },
  request_method: { get: (request) => present(request.main.method) },
  request_filename: { get: requestFilename },
  document_root: { get: documentRoot },
  realpath_root: { get: realpathRoot },
  request_body: { get: requestBody, cached: true },
  request_body_file: { get: (request) => request.body?.file?.path, cached: true },
  request_length: { get: (request) => `${request.requestLength}` },
  request_id: { get: () => ids.take(), cached: true },
  content_length: { get: contentLength },
  content_type: headerVariable('content_type'),
  host: { get: (request) => request.headers.host || request.server.name },
  request_port: { get: ({ headers }) => (headers.port > 0 ? `${headers.port}` : '') },
  is_request_port: { get: ({ headers }) => (headers.port > 0 ? ':' : '') },
  server_name: { get: (request) => request.server.name },
  server_protocol: {
    get: (request) => (request.version >= 2000 || lineRead(request) ? protocolOf(request) : undefined),
  },
  remote_user: { get: (request) => basicCredentials(request)?.user },
  limit_rate: {
    changeable: true,
    // What the location says is not known before the reply begins.
    get: (request) => `${Math.max(0, request.limitRate)}`,
    set: setLimitRate,
  },
};
