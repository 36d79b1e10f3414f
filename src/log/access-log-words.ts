/** The parameters of `access_log` behind path and format, and what must agree between logs to one file. */
import { parseMsec, parseNumber, parseSize } from '../config/numbers.ts';
import type { AccessLogSpec } from './access-log.ts';
import type { LogTarget } from './target.ts';

/** Bytes of the buffer that `gzip` without `buffer=` has. */
const GZIP_BUFFER = 64 * 1024;
/** zlib's fastest level, nginx's default here. */
const FASTEST = 1;

/** `buffer=`, `flush=`, `gzip`, and the text behind `if=`. */
export interface AccessLogParameters extends Pick<AccessLogSpec, 'buffer' | 'flush' | 'gzip'> {
  readonly condition: string | undefined;
}

/** What the path is: `variables`, a name that each request completes; `syslog`, a server. */
export type AccessLogKind = 'file' | 'variables' | 'syslog';

/** Ends the reading of a directive with nginx's words. */
type Fail = (reason: string) => never;

/** Reads `words`, all behind the format. `path` is the first word of the directive, for messages. */
export const parseAccessLogParameters = (
  words: readonly string[],
  path: string,
  kind: AccessLogKind,
  fail: Fail,
): AccessLogParameters => {
  let buffer = 0;
  let flush = 0;
  let gzip = 0;
  let condition: string | undefined;
  for (const word of words) {
    if (word.startsWith('buffer=')) {
      buffer = parseSize(word.slice(7)) ?? 0;
      if (buffer === 0) fail(`invalid buffer size "${word.slice(7)}"`);
    } else if (word.startsWith('flush=')) {
      flush = parseMsec(word.slice(6)) ?? 0;
      if (flush === 0) fail(`invalid flush time "${word.slice(6)}"`);
    } else if (word === 'gzip' || word.startsWith('gzip=')) {
      if (buffer === 0) buffer = GZIP_BUFFER;
      gzip = word === 'gzip' ? FASTEST : (parseNumber(word.slice(5)) ?? 0);
      if (gzip < 1 || gzip > 9) fail(`invalid compression level "${word.slice(5)}"`);
    } else if (word.startsWith('if=')) {
      condition = word.slice(3);
    } else {
      fail(`invalid parameter "${word}"`);
    }
  }
  if (flush > 0 && buffer === 0) fail(`no buffer is defined for access_log "${path}"`);
  if (buffer > 0 && kind === 'variables') fail('buffered logs cannot have variables in name');
  if (buffer > 0 && kind === 'syslog') fail('logs to syslog cannot be buffered');
  return { buffer, flush, gzip, condition };
};

/** The buffers of one configuration's access logs: one file has one. */
export class AccessLogBuffers {
  readonly #buffers = new Map<string, AccessLogSpec>();

  /** `fail` is called when the file was given another buffer before. `path` is as written, for the message. */
  check(spec: AccessLogSpec, path: string, fail: Fail): void {
    const file = fileOf(spec.target);
    if (file === undefined || spec.buffer === 0) return;
    const before = this.#buffers.get(file);
    if (!before) {
      this.#buffers.set(file, spec);
    } else if (before.buffer !== spec.buffer || before.flush !== spec.flush || before.gzip !== spec.gzip) {
      fail(`access_log "${path}" already defined with conflicting parameters`);
    }
  }
}

const fileOf = (target: LogTarget): string | undefined => (target.kind === 'file' ? target.path : undefined);
