/** Lines of the error log about a request, with nginx's context behind them. */
import type { ErrorLog } from '../log/error-log.ts';
import { DEBUG } from '../log/levels.ts';
import type { Request } from './request.ts';

/** What is said of a client that was too slow. */
export const CLIENT_TIMED_OUT = 'client timed out (110: Connection timed out)';

/** `, client: A, server: S, request: "L", upstream: "U", host: "H", referrer: "R"`, as far as it is known. */
const contextOf = (request: Request): string => {
  const { stream, headers } = request;
  const action = request.finished ? ' while logging request' : '';
  let text = `${action}, client: ${stream.unix ? 'unix:' : stream.remoteAddress}, server: ${request.server.name}`;
  const { requestLine } = request.main;
  if (requestLine !== '') text += `, request: "${requestLine}"`;
  if (request !== request.main) text += `, subrequest: "${request.uri}"`;
  const address = request.upstream?.address();
  if (address !== undefined && address !== '') text += `, upstream: "${address}"`;
  if (headers.hostIndex >= 0) text += `, host: "${headers.values[headers.hostIndex]}"`;
  const referer = headers.get('referer');
  if (referer !== undefined) text += `, referrer: "${referer}"`;
  return text;
};

/** The log that lines about this request go to. */
export const logOf = (request: Request): ErrorLog => request.stream.debugLog ?? request.location.errorLog;

/** Writes `message`, which begins in nginx's words, when the request's location logs that level. */
export const logRequest = (request: Request, level: number, message: string): void => {
  const log = logOf(request);
  if (log.level >= level) log.write(level, message + contextOf(request), request.stream.number);
};

/** What nginx is doing once it has something to send: behind a message, '' where it does not say. */
export const sendingAction = ({ upstream, sendsFile }: Request): string => {
  if (upstream) return ' while sending to client';
  return sendsFile ? ' while sending response to client' : '';
};

/** A line of a filter's, about the head of the reply or its body, with what nginx is doing then. */
export const logFilter = (request: Request, level: number, message: string, about: 'head' | 'body'): void => {
  const passed = about === 'head' ? 'reading response header from upstream' : 'sending to client';
  logRequest(request, level, `${message} while ${request.upstream ? passed : 'sending response to client'}`);
};

/** At level debug: the request as it was understood. */
export const logHead = (request: Request): void => {
  const log = logOf(request);
  const { names, values } = request.headers;
  const line = (message: string): void => log.write(DEBUG, message, request.stream.number);
  line(`http request line: "${request.requestLine}"`);
  line(`http uri: "${request.uri}"`);
  line(`http args: "${request.args}"`);
  names.forEach((name, index) => {
    const secret = name.lower === 'authorization' || name.lower === 'proxy-authorization';
    line(`http header: "${name.text}: ${secret ? '...' : values[index]}"`);
  });
};
