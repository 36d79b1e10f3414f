/** Variables of the reply and of time: what has been decided or sent so far. */
import { hostname } from 'node:os';
import { isoTime, localTime } from '../../log/clock.ts';
import { wallClock } from '../../net/timers.ts';
import { httpDate } from '../http-date.ts';
import type { Request } from '../request.ts';
import type { Value, VariableDefinition } from '../variables.ts';
import { lineValue } from './header-value.ts';

/** The nginx whose behaviour is followed, for configurations that ask. */
const NGINX_VERSION = '1.31.5';
const HOSTNAME = hostname().toLowerCase();
const PID = `${process.pid}`;

/** Milliseconds as seconds with three decimals, as nginx prints times. */
export const asSeconds = (ms: number): string => {
  const whole = Math.max(0, Math.floor(ms));
  const rest = whole % 1000;
  const decimals = rest < 10 ? `00${rest}` : rest < 100 ? `0${rest}` : `${rest}`;
  return `${(whole - rest) / 1000}.${decimals}`;
};

/** The status as it is logged: of the error that a page is shown for, else of the reply, in three digits. */
export const statusText = (request: Request): string => {
  const status = request.errorStatus || request.out.status || (request.version === 9 ? 9 : 0);
  return status >= 100 ? `${status}` : `${status}`.padStart(3, '0');
};

/** Seconds since the request's first byte. */
export const requestTime = (request: Request): string => asSeconds(wallClock() - request.startedAt);

const contentType = ({ out, headerSent }: Request): Value => {
  if (out.contentType === '') return undefined;
  return headerSent ? out.sentType : out.contentType;
};

/** In nginx nothing is kept any more by the time of the log, unless the value was asked for before. */
const isKept = ({ keepAlive, finished }: Request): boolean => keepAlive && !finished;

const connection = (request: Request): string => {
  if (request.out.status === 101) return 'upgrade';
  return isKept(request) ? 'keep-alive' : 'close';
};

const keepAlive = (request: Request): Value => {
  const seconds = request.location.core.keepalive_timeout.header;
  return isKept(request) && seconds > 0 ? `timeout=${seconds}` : undefined;
};

const filled = (text: string): Value => (text === '' ? undefined : text);

/** Headers of the reply that are kept apart from its lines. */
const KEPT: Readonly<Record<string, (request: Request) => Value>> = {
  content_type: contentType,
  content_length: ({ out }) => (out.contentLength >= 0 ? `${out.contentLength}` : undefined),
  location: ({ out }) => filled(out.location),
  last_modified: ({ out }) => (out.lastModified >= 0 ? httpDate(out.lastModified) : undefined),
  connection,
  keep_alive: keepAlive,
  transfer_encoding: (request) => (request.chunkedOut ? 'chunked' : undefined),
  etag: ({ out }) => filled(out.etag),
  content_encoding: ({ out }) => filled(out.contentEncoding),
  accept_ranges: ({ out }) => (out.acceptRanges ? 'bytes' : undefined),
  server: ({ out }) => filled(out.server),
  date: ({ out }) => filled(out.date),
};

const sentHeader = (name: string): ((request: Request) => Value) => {
  const kept = KEPT[name];
  if (!kept) return ({ out }) => lineValue(out.lines, name);
  return (request) => kept(request) ?? lineValue(request.out.lines, name);
};

/** Those of the family that are variables in their own right, which the configuration may not define. */
const FIXED = [
  'content_type',
  'content_length',
  'location',
  'last_modified',
  'connection',
  'keep_alive',
  'transfer_encoding',
  'cache_control',
  'link',
];

const fixedHeaders = (): Readonly<Record<string, VariableDefinition>> =>
  Object.fromEntries(FIXED.map((name) => [`sent_http_${name}`, { get: sentHeader(name), cached: true }]));

export const replyVariables: Readonly<Record<string, VariableDefinition>> = {
  ...fixedHeaders(),
  sent_http_: {
    get: (request, name) => sentHeader(name.slice(10))(request),
    bind: (name) => sentHeader(name.slice(10)),
    cached: true,
  },
  sent_trailer_: {
    get: ({ out }, name) => (out.trailers ? lineValue(out.trailers, name.slice(13)) : undefined),
    cached: true,
  },
  status: { get: statusText },
  bytes_sent: { get: ({ stream }) => `${stream.sent}`, cached: true },
  body_bytes_sent: { get: (request) => `${request.bodySent}`, cached: true },
  request_time: { get: requestTime },
  request_completion: { get: (request) => (request.outputDone ? 'OK' : ''), cached: true },
  pipe: { get: (request) => (request.pipelined ? 'p' : '.') },
  msec: { get: () => asSeconds(wallClock()) },
  time_local: { get: () => localTime(wallClock()) },
  time_iso8601: { get: () => isoTime(wallClock()) },
  nginx_version: { get: () => NGINX_VERSION },
  hostname: { get: () => HOSTNAME },
  pid: { get: () => PID },
};
