/** The $upstream_* variables of stream: one value for each attempt, `, ` between them. */
import type { Value } from '../../values/variables.ts';
import type { StreamVariables } from '../module.ts';
import type { Session, SessionAttempt } from '../session.ts';
import { asSeconds } from './variables.ts';

const each =
  (text: (attempt: SessionAttempt) => string) =>
  ({ upstream }: Session): Value => {
    const attempts = upstream?.attempts;
    return attempts && attempts.length > 0 ? attempts.map(text).join(', ') : undefined;
  };

const time = (ms: number): string => (ms < 0 ? '-' : asSeconds(ms));

export const upstreamVariables: StreamVariables = {
  upstream_addr: { get: each(({ peer }) => peer) },
  upstream_bytes_sent: { get: each(({ sent }) => `${sent}`) },
  upstream_bytes_received: { get: each(({ received }) => `${received}`) },
  upstream_connect_time: { get: each(({ connectTime }) => time(connectTime)) },
  upstream_first_byte_time: { get: each(({ firstByteTime }) => time(firstByteTime)) },
  upstream_session_time: { get: each(({ responseTime }) => time(responseTime)) },
};
