/** `log_format`: the line of a request, compiled to one function. */
import { isoTime, localTime } from '../../log/clock.ts';
import { wallClock } from '../../net/timers.ts';
import * as values from '../../values/log-format.ts';
import type { Request } from '../request.ts';
import type { Variables } from '../variables.ts';
import { asSeconds, requestTime, statusText } from './variables-reply.ts';

export { escapeDefault, escapeJson } from '../../values/log-format.ts';
export type LogLine = values.LogLine<Request>;

const COMBINED =
  '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"';

/** Values that the log works out itself, at the time of logging. */
const OWN: Readonly<Record<string, LogLine>> = {
  pipe: (request) => (request.pipelined ? 'p' : '.'),
  time_local: () => localTime(wallClock()),
  time_iso8601: () => isoTime(wallClock()),
  msec: () => asSeconds(wallClock()),
  request_time: requestTime,
  status: statusText,
  bytes_sent: ({ stream }) => `${stream.sent}`,
  body_bytes_sent: (request) => `${request.bodySent}`,
  request_length: (request) => `${request.requestLength}`,
};

/** What lines about requests are made of. */
export const logValues = (variables: Variables): values.LogValues<Request> => ({ variables, own: OWN });

/** The format that is there without being defined. */
export const combinedFormat = (variables: Variables): LogLine =>
  values.plainFormat(COMBINED, logValues(variables));
