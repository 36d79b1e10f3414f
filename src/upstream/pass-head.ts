/** The head of a reply: what it asks of us, and what of it the client sees. */

import { parseNumber } from '../config/numbers.ts';
import { finalize, sendHeader } from '../http/finalize.ts';
import { parseHttpDate } from '../http/http-date.ts';
import { NOTHING } from '../http/output.ts';
import { holds } from '../http/parsers.ts';
import type { Request } from '../http/request.ts';
import { OK } from '../http/verdict.ts';
import { INFO } from '../log/levels.ts';
import { accelRedirect } from './accel-redirect.ts';
import { IGNORE } from './contract.ts';
import { startLimit } from './limit-rate.ts';
import { close, finalizeUpstream, passedOver } from './next.ts';
import type { ReplyHead } from './reply-head.ts';
import {
  ACCEL_BUFFERING,
  ACCEL_CHARSET,
  ACCEL_LIMIT_RATE,
  ACCEL_REDIRECT,
  ACCEPT_RANGES,
  CONNECTION,
  CONTENT_LENGTH,
  CONTENT_TYPE,
  DATE,
  ETAG,
  KEEP_ALIVE,
  LAST_MODIFIED,
  LOCATION,
  PLAIN,
  REFRESH,
  type ReplyName,
  SERVER,
  SET_COOKIE,
  TRANSFER_ENCODING,
  UPGRADE,
} from './reply-name.ts';
import { setType } from './reply-type.ts';
import { BODY_ACTION, PASSING } from './states.ts';
import { beginTunnel } from './tunnel.ts';
import type { Upstream } from './upstream.ts';

/** Kinds of lines that ask something of the engine. */
const ASKING =
  (1 << ACCEL_REDIRECT) | (1 << ACCEL_LIMIT_RATE) | (1 << ACCEL_BUFFERING) | (1 << ACCEL_CHARSET);

/** Whether a reply without a body is read to its end all the same. */
const isReadOn = ({ protocol, request, head }: Upstream): boolean =>
  protocol.endsApart === true && request.method !== 'HEAD' && head.statusLine !== '';

/** A complete head: passes it on, or does what else it leads to (false: this attempt is over). */
export const passHead = (u: Upstream): boolean => {
  const { head, request, attempt } = u;
  // Of an interim reply's status nginx makes the attempt's; a reply that nobody sent has none.
  if (attempt.status === 0 && !u.protocol.unasked) attempt.status = head.status;
  attempt.headerTime = u.now - u.attemptStarted;
  if (head.status >= 300 && passedOver(u)) return false;
  if (u.peer) u.source?.onHead(u.peer);
  if ((head.seen & ASKING) !== 0) obey(u, head);
  if (
    (head.seen & (1 << ACCEL_REDIRECT)) !== 0 &&
    (u.conf.ignoreHeaders & IGNORE['X-Accel-Redirect']) === 0
  ) {
    redirect(u);
    return false;
  }
  u.conf.cache?.head(u);
  if (u.discarding) {
    u.phase = PASSING;
    return true;
  }
  copyHead(u);
  u.headerSent = true;
  if (head.upgrade) return beginTunnel(u);
  if (!sendHeader(request)) return false;
  if (request.headerOnly && !u.cacheable && !isReadOn(u)) {
    finalizeUpstream(u, OK);
    return false;
  }
  u.phase = PASSING;
  // As in nginx: without buffering what came with the head still belongs to it.
  if (u.buffering) u.action = BODY_ACTION;
  attempt.length = u.reply?.behindHead ?? 0;
  if (!u.buffering) {
    // An empty piece: the head goes to the client at once, with the body where that has come too.
    u.pending = NOTHING;
    request.limitRate = 0;
  } else if (u.conf.limitRate) {
    startLimit(u, u.conf.limitRate.text(request));
  }
  return true;
};

/** The head of a kept reply, in `u.head`. False: it has led elsewhere, and the exchange is over. */
export const passKeptHead = (u: Upstream): boolean => {
  const { head, request } = u;
  if ((head.seen & ASKING) !== 0) obey(u, head);
  if (
    (head.seen & (1 << ACCEL_REDIRECT)) !== 0 &&
    (u.conf.ignoreHeaders & IGNORE['X-Accel-Redirect']) === 0
  ) {
    redirect(u);
    return false;
  }
  copyHead(u);
  u.headerSent = true;
  return sendHeader(request);
};

/** X-Accel-Limit-Rate, X-Accel-Charset and X-Accel-Buffering. */
const obey = (u: Upstream, head: ReplyHead): void => {
  const { conf } = u;
  const rate = head.value(ACCEL_LIMIT_RATE);
  if (rate !== undefined && (conf.ignoreHeaders & IGNORE['X-Accel-Limit-Rate']) === 0) {
    const bytes = parseNumber(rate);
    if (bytes !== undefined) u.request.limitRate = bytes;
  }
  const charset = head.value(ACCEL_CHARSET);
  if (charset !== undefined && (conf.ignoreHeaders & IGNORE['X-Accel-Charset']) === 0) {
    u.request.out.wantedCharset = charset;
  }
  if (conf.fixedBuffering || (conf.ignoreHeaders & IGNORE['X-Accel-Buffering']) !== 0) return;
  for (let i = 0; i < head.names.length; i++) {
    if (head.names[i]?.kind !== ACCEL_BUFFERING) continue;
    const value = head.values[i]?.toLowerCase();
    if (value === 'no') u.buffering = false;
    else if (value === 'yes') u.buffering = true;
  }
};

const redirect = (u: Upstream): void => {
  const { request, head } = u;
  if (!close(u)) return;
  if (request.producer === u) request.producer = undefined;
  if (u.discarding) return;
  const status = accelRedirect(request, head, (name, value) => copyLine(u, name, value));
  if (status !== OK) finalize(request, status);
};

const copyHead = (u: Upstream): void => {
  const { head, request, conf } = u;
  const { names, values } = head;
  const { out } = request;
  const { hidden, hiddenKinds } = conf;
  for (let i = 0; i < names.length; i++) {
    const name = names[i];
    if (!name) break;
    if (name.kind === PLAIN ? hidden.has(name.lower) : (hiddenKinds & (1 << name.kind)) !== 0) continue;
    const value = values[i] ?? '';
    if (name.kind === PLAIN) out.lines.push(name.text, value);
    else copyLine(u, name, value);
  }
  // Conditions are for us to judge only where the reply is kept.
  request.unconditional = !u.judged;
  out.status = head.status;
  out.statusLine = head.statusLine;
  out.contentLength = head.contentLength;
  if (conf.forceRanges) {
    out.acceptRanges = true;
    out.singleRange = !u.kept;
  }
};

/** A line that is not simply passed on. */
const copyLine = (u: Upstream, name: ReplyName, value: string): void => {
  const { request, protocol } = u;
  const { out } = request;
  switch (name.kind) {
    case CONTENT_LENGTH:
    case CONNECTION:
    case KEEP_ALIVE:
    case TRANSFER_ENCODING:
      return;
    case CONTENT_TYPE:
      setType(out, value);
      return;
    case DATE:
      out.date = value;
      return;
    case SERVER:
      out.server = value;
      return;
    case LOCATION:
      passLocation(u, name, value);
      return;
    case REFRESH:
      out.add(name.text, refresh(u, request, value));
      return;
    case SET_COOKIE:
      out.add(name.text, protocol.rewriteCookie?.(request, value) ?? value);
      return;
    case ACCEPT_RANGES:
      if (u.conf.forceRanges) return;
      if (u.judged) {
        out.acceptRanges = true;
        out.singleRange = !u.kept;
      } else {
        out.add(name.text, value);
      }
      return;
    case LAST_MODIFIED: {
      // Of what is kept the filters for conditions and ranges know date and tag.
      const time = u.judged ? parseHttpDate(value) : undefined;
      if (time === undefined) out.add(name.text, value);
      else out.lastModified = time;
      return;
    }
    case ETAG:
      if (u.judged) out.etag = value;
      else out.add(name.text, value);
      return;
    case UPGRADE:
      if (request.version < 2000) out.add(name.text, value);
      return;
    default:
      out.add(name.text, value);
  }
};

/** Only a path that proxy_redirect has made is completed to an address, as our own are; others keep their place. */
const passLocation = ({ request, protocol }: Upstream, name: ReplyName, value: string): void => {
  const rewritten = protocol.rewriteRedirect?.(request, value);
  const { absolute_redirect: completes } = request.location.core;
  if (completes && rewritten?.startsWith('/')) request.out.location = rewritten;
  else request.out.add(name.text, rewritten ?? value);
};

/** `5; url=http://...`: the address in it is rewritten as a Location would be. */
const refresh = (u: Upstream, request: Request, value: string): string => {
  const rewrite = u.protocol.rewriteRedirect;
  const at = rewrite ? value.toLowerCase().indexOf('url=') : -1;
  const rewritten = rewrite && at >= 0 ? rewrite(request, value.slice(at + 4)) : undefined;
  return rewritten === undefined ? value : value.slice(0, at + 4) + rewritten;
};

/** An interim reply: Early Hints go to the client where `early_hints` lets them. */
export const passInterim = (u: Upstream, status: number, lines: readonly string[]): boolean => {
  const { conf, request, attempt } = u;
  if (attempt.status === 0) attempt.status = status;
  if (!conf.passEarlyHints || status !== 103 || request.version < 1001) return true;
  if (!holds(request.location.core.early_hints, request)) return true;
  u.hintsLength += lines.reduce((sum, text) => sum + text.length + 2, 0);
  if (u.hintsLength > conf.bufferSize) {
    u.log(INFO, 'upstream sent too big early hints');
    return true;
  }
  const passed: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = lines[i] ?? '';
    if (!conf.hidden.has(name.toLowerCase())) passed.push(name, lines[i + 1] ?? '');
  }
  if (passed.length > 0) request.stream.writeInterim(request, '103 Early Hints', passed);
  return true;
};
