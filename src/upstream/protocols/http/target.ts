/** Where a request goes: what proxy_pass says, as written or as its variables make it. */
import type { Request } from '../../../http/request.ts';
import { escapeUri } from '../../../http/uri.ts';
import type { UpstreamUrl } from './upstream-url.ts';

export interface Target {
  /** `$proxy_host`. */
  readonly hostHeader: string;
  /** The line that it makes; '' when there is no host. */
  readonly hostLine: string;
  /** `$proxy_port`. */
  readonly port: string;
  /** The URI of proxy_pass; '' when it has none. */
  readonly uri: string;
  /** How much of the request's path `uri` takes the place of; -1: `uri` is all there is to send. */
  readonly replaces: number;
}

export const targetOf = (url: UpstreamUrl, replaces: number): Target => ({
  hostHeader: url.hostHeader,
  hostLine: url.hostHeader === '' ? '' : `Host: ${url.hostHeader}\r\n`,
  port: url.portText,
  // A path must be sent: `http://host?a=b` made of variables asks for `/?a=b`.
  uri: replaces < 0 && url.uri.startsWith('?') ? `/${url.uri}` : url.uri,
  replaces: url.uri === '' ? 0 : replaces,
});

/**
 * The path and arguments that are asked for: those of the client byte by byte where nothing replaces any of
 * it, else put together and escaped again.
 */
export const requestUri = (request: Request, target: Target): string => {
  const { uri, replaces } = target;
  if (replaces < 0) return uri;
  if (uri === '' && request.validTarget) return request.target;
  const prefix = request.validLocation ? uri : '';
  const rest = prefix === '' ? request.uri : request.uri.slice(replaces);
  const path = request.complexTarget || request.internal ? escapeUri(rest) : rest;
  return request.args === '' ? prefix + path : `${prefix}${path}?${request.args}`;
};
