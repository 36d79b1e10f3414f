/** Modules whose replies pass as they come (gRPC, memcached, tunnels): the rows that they share, and their settings. */
import type { Conf } from '../config/contract.ts';
import type { UpstreamConf } from '../upstream/contract.ts';
import { type NextWord, upstreamRows } from './upstream-directives.ts';

/** The directives `PREFIX_connect_timeout` and so on; `next` are the words that `PREFIX_next_upstream` knows. */
export const unbufferedRows = (prefix: string, next: readonly NextWord[]) => {
  const rows = upstreamRows(prefix, next);
  return {
    bind: rows.bind,
    bufferSize: rows.bufferSize,
    connectTimeout: rows.connectTimeout,
    sendTimeout: rows.sendTimeout,
    readTimeout: rows.readTimeout,
    socketKeepalive: rows.socketKeepalive,
    nextUpstreamTries: rows.nextUpstreamTries,
    nextUpstreamTimeout: rows.nextUpstreamTimeout,
  };
};
type UnbufferedConf = Conf<ReturnType<typeof unbufferedRows>>;

const NOWHERE = { path: '', levels: [] } as const;
const NOTHING: ReadonlySet<string> = new Set();

/** The engine's settings by these rows: neither the request's lines nor its body are passed on, nor anything kept. */
export const unbuffered = (conf: UnbufferedConf, nextUpstream: number): UpstreamConf => ({
  connectTimeout: conf.connectTimeout,
  sendTimeout: conf.sendTimeout,
  readTimeout: conf.readTimeout,
  nextUpstream,
  nextUpstreamTries: conf.nextUpstreamTries,
  nextUpstreamTimeout: conf.nextUpstreamTimeout,
  buffering: false,
  requestBuffering: true,
  bufferSize: conf.bufferSize,
  buffers: { count: 0, size: 0 },
  busyBuffersSize: 0,
  maxTempFileSize: 0,
  tempPath: NOWHERE,
  interceptErrors: false,
  ignoreClientAbort: false,
  forceRanges: false,
  socketKeepalive: conf.socketKeepalive,
  passRequestHeaders: false,
  passRequestBody: false,
  ignoreHeaders: 0,
  hidden: NOTHING,
  hiddenKinds: 0,
  bind: conf.bind === 'off' ? undefined : conf.bind,
  limitRate: undefined,
  method: undefined,
});
