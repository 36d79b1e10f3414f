/** What this program calls itself to clients: the Server header and the foot of error pages (`server_tokens`). */
import { ownVersion } from '../process/version.ts';
import type { Request } from './request.ts';

const FULL = `sluice/${ownVersion()}`;
const BARE = 'sluice';

const named = (tokens: string): string => {
  if (tokens === 'on' || tokens === 'build') return FULL;
  return tokens === 'off' ? BARE : tokens;
};

/** `sluice/1.2.3`, `sluice`, or the text that `server_tokens` gives; '' for none. */
export const programName = (request: Request): string => {
  const { tokens, server_tokens: template } = request.location.core;
  if (tokens === 'on') return FULL;
  return named(tokens ?? template?.text(request) ?? 'on');
};
