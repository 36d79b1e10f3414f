/** What this program calls itself to clients: the Server header and the foot of error pages (`server_tokens`). */
import { ownVersion } from '../process/version.ts';
import type { Request } from './request.ts';

const FULL = `sluice/${ownVersion()}`;
const BARE = 'sluice';

/** `sluice/1.2.3`, or `sluice`. */
export const programName = (request: Request): string =>
  request.location.core.server_tokens === 'off' ? BARE : FULL;
