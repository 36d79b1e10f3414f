/** The $upstream_* variables: one value for each attempt, `, ` between them, ` : ` between upstreams. */
import type { Attempt } from '../../upstream/attempt.ts';
import type { Request } from '../request.ts';
import type { Value, VariableDefinition } from '../variables.ts';

const each =
  (text: (attempt: Attempt) => string) =>
  ({ upstream }: Request): Value => {
    const attempts = upstream?.attempts;
    if (!attempts || attempts.length === 0) return undefined;
    let all = '';
    let separator = '';
    for (const attempt of attempts) {
      if (attempt.peer === '') {
        separator = ' : ';
        continue;
      }
      all += separator + text(attempt);
      separator = ', ';
    }
    return all;
  };

/** Seconds with milliseconds. */
const time = (ms: number): string => (ms < 0 ? '-' : (Math.trunc(ms) / 1000).toFixed(3));

/** The values of all lines of that name, `, ` between them. */
const lines = (names: readonly string[], values: readonly string[], wanted: string): Value => {
  let all: string | undefined;
  for (let i = 0; i < names.length; i++) {
    if (names[i]?.toLowerCase().replaceAll('-', '_') !== wanted) continue;
    all = all === undefined ? values[i] : `${all}, ${values[i]}`;
  }
  return all;
};

const header = ({ upstream }: Request, name: string): Value => {
  if (!upstream) return undefined;
  const { head } = upstream;
  return lines(
    head.names.map(({ lower }) => lower),
    head.values,
    name.slice('upstream_http_'.length),
  );
};

const trailer = ({ upstream }: Request, name: string): Value => {
  const trailers = upstream?.trailers;
  if (!trailers) return undefined;
  const names = trailers.filter((_, index) => index % 2 === 0);
  const values = trailers.filter((_, index) => index % 2 === 1);
  return lines(names, values, name.slice('upstream_trailer_'.length));
};

/** The value of the first Set-Cookie of that name; only spaces may stand around its equals sign. */
const cookie = ({ upstream }: Request, name: string): Value => {
  if (!upstream) return undefined;
  const wanted = name.slice('upstream_cookie_'.length);
  const { names, values } = upstream.head;
  for (let i = 0; i < names.length; i++) {
    const line = values[i] ?? '';
    if (names[i]?.lower !== 'set-cookie' || line.slice(0, wanted.length).toLowerCase() !== wanted) continue;
    const [, value] = /^ *= *([^;]*)/.exec(line.slice(wanted.length)) ?? [];
    if (value !== undefined) return value;
  }
  return undefined;
};

export const upstreamVariables: Readonly<Record<string, VariableDefinition>> = {
  upstream_addr: { get: each(({ peer }) => peer) },
  upstream_status: { get: each(({ status }) => (status === 0 ? '-' : `${status}`)) },
  upstream_connect_time: { get: each(({ connectTime }) => time(connectTime)) },
  upstream_header_time: { get: each(({ headerTime }) => time(headerTime)) },
  upstream_response_time: { get: each(({ responseTime }) => time(responseTime)) },
  upstream_response_length: { get: each(({ length }) => `${length}`) },
  upstream_bytes_received: { get: each(({ received }) => `${received}`) },
  upstream_bytes_sent: { get: each(({ sent }) => `${sent}`) },
  upstream_http_: { get: header },
  upstream_trailer_: { get: trailer },
  upstream_cookie_: { get: cookie },
};
