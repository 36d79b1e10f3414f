/** Replies of upstream servers that are kept and used again (`proxy_cache`), as the engine asks for them. */
import { closeSync } from 'node:fs';
import { CRIT, ERROR as ERROR_LEVEL } from '../../log/levels.ts';
import { monotonic } from '../../net/timers.ts';
import { errorText } from '../../platform/errno.ts';
import { ask } from '../../upstream/connect.ts';
import { NEXT, type ReplyCache, type TempPath } from '../../upstream/contract.ts';
import { close, finalizeUpstream } from '../../upstream/next.ts';
import { passKeptHead } from '../../upstream/pass-head.ts';
import type { Upstream } from '../../upstream/upstream.ts';
import { finalize } from '../finalize.ts';
import { httpDate, parseHttpDate } from '../http-date.ts';
import { FileProducer } from '../modules/file-producer.ts';
import { RangeSink, whole } from '../modules/range-sink.ts';
import { LAST, NOTHING, OWNED } from '../output.ts';
import { holds } from '../parsers.ts';
import { contextKey, type Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DISCARD, subrequest } from '../subrequest.ts';
import { TempFile } from '../temp-file.ts';
import type { Template } from '../template.ts';
import { OK, type Verdict } from '../verdict.ts';
import { headText, parseHeadText } from './cache-file.ts';
import {
  ABSENT,
  CacheEntry,
  type EntryOwner,
  FAILED,
  FRESH,
  type LookConf,
  nowSeconds,
  SCARCE,
  STALE,
  UPDATED_ELSEWHERE,
  WAITS,
} from './entry.ts';
import type { Content } from './kept-memory.ts';
import type { CacheStore } from './store.ts';
import { validityOf } from './validity.ts';

/** `proxy_cache_valid`: how many seconds a status is kept; status 0: any. */
export interface CacheValid {
  readonly status: number;
  readonly seconds: number;
}

/** What `proxy_cache_*` say for a location. */
export interface CacheConf extends LookConf {
  /** `proxy_cache`: fixed, or by name. */
  readonly store: CacheStore | Template;
  readonly stores: ReadonlyMap<string, CacheStore>;
  readonly key: Template | undefined;
  readonly valid: readonly CacheValid[];
  readonly methods: ReadonlySet<string>;
  readonly bypass: readonly Template[];
  readonly noCache: readonly Template[];
  /** Bits of NEXT. */
  readonly useStale: number;
  readonly revalidate: boolean;
  readonly backgroundUpdate: boolean;
  readonly convertHead: boolean;
  /** Bytes. */
  readonly maxRangeOffset: number;
  readonly tempPath: TempPath;
}

/** A subrequest that updates in the background what its parent was answered with. */
const BACKGROUND = contextKey<boolean>('cache update');
const IN_BACKGROUND = { output: DISCARD, headerOnly: true, clone: true } as const;

/** What the exchange of a request has to do with the cache. */
const entryOf = ({ entry }: Upstream): CacheEntry | undefined =>
  entry instanceof CacheEntry ? entry : undefined;

/** Sends a body that is all there, at once. */
const sendContent = (request: Request, { body }: Content): void => {
  const { sink, stream } = request;
  request.producer = undefined;
  if (typeof body !== 'string') sink.write(request, body, OWNED | LAST);
  else if (sink === stream) stream.writeText(request, body);
  else sink.write(request, Buffer.from(body, 'latin1'), OWNED | LAST);
  finalize(request, OK);
};

export class FileCache implements ReplyCache, EntryOwner {
  constructor(readonly conf: CacheConf) {}

  begin(u: Upstream): boolean {
    const { request } = u;
    const { conf } = this;
    if (!conf.methods.has(request.method)) return false;
    const store = this.#storeOf(request);
    if (store === undefined) return false;
    const table = store === 'missing' ? undefined : store.table;
    if (store === 'missing' || !table) {
      finalizeUpstream(u, 500);
      return true;
    }
    u.asGet = request.method === 'HEAD' && conf.convertHead;
    const key = conf.key?.text(request) ?? `${u.protocol.scheme}${u.group.name}${u.protocol.uri(request, u)}`;
    const entry = new CacheEntry(request, store, table, key, conf, this);
    u.entry = entry;
    u.cacheable = true;
    if (holds(conf.bypass, request)) {
      u.cacheStatus = 'BYPASS';
      return false;
    }
    u.cacheStatus = 'MISS';
    return this.#look(u, entry);
  }

  #storeOf(request: Request): CacheStore | 'missing' | undefined {
    const { store, stores } = this.conf;
    if (!('text' in store)) return store;
    const name = store.text(request);
    if (name === '' || name === 'off') return undefined;
    const found = stores.get(name);
    if (!found) logRequest(request, ERROR_LEVEL, `cache "${name}" not found`);
    return found ?? 'missing';
  }

  /** What was waited for may be there. */
  lookAgain(entry: CacheEntry): void {
    const { upstream: u } = entry.request;
    if (u?.entry !== entry) return;
    u.now = monotonic();
    if (!this.#look(u, entry)) ask(u);
  }

  /** True: the request is answered, or waits. */
  #look(u: Upstream, entry: CacheEntry): boolean {
    const { conf } = this;
    const { request } = u;
    const found = entry.look();
    const background = request.context(BACKGROUND) === true;
    const usable = (conf.useStale & NEXT.updating) !== 0 || entry.usableUpdating;
    switch (found) {
      case FRESH:
        return this.#answer(u, entry, 'HIT');
      case WAITS:
        return true;
      case FAILED:
        finalizeUpstream(u, 500);
        return true;
      case STALE:
        if (usable && !background && conf.backgroundUpdate && this.#updateInBackground(request)) {
          return this.#answer(u, entry, 'STALE');
        }
        return this.#expired(u, entry);
      case UPDATED_ELSEWHERE:
        if (usable && !background) return this.#answer(u, entry, 'UPDATING');
        return this.#expired(u, entry);
      case SCARCE:
        u.cacheable = false;
        return false;
      case ABSENT:
        return this.#checkRange(u);
      default:
        u.cacheStatus = 'HIT';
        finalizeUpstream(u, found);
        return true;
    }
  }

  #expired(u: Upstream, entry: CacheEntry): boolean {
    u.cacheStatus = 'EXPIRED';
    entry.file.close();
    return this.#checkRange(u);
  }

  /** A range far into the reply is fetched by itself, and not kept. Answers false. */
  #checkRange(u: Upstream): false {
    const { maxRangeOffset } = this.conf;
    const range = u.request.headers.get('range');
    if (range === undefined || maxRangeOffset === Number.POSITIVE_INFINITY) return false;
    const match = /^bytes= *(?:(-)|(\d*))/i.exec(range);
    const beyond = match !== null && (match[1] === '-' || Number(match[2]) >= maxRangeOffset);
    if (maxRangeOffset === 0 || beyond) u.cacheable = false;
    return false;
  }

  #updateInBackground(request: Request): boolean {
    const update = subrequest(request, request.uri, request.args, IN_BACKGROUND);
    update?.setContext(BACKGROUND, true);
    return update !== undefined;
  }

  /** Sends the kept reply. False: it can't be read after all. */
  #answer(u: Upstream, entry: CacheEntry, status: string): boolean {
    const { request } = u;
    const { head } = entry.file;
    if (!head) {
      logRequest(request, CRIT, `cache file "${entry.path}" contains invalid header`);
      entry.file.close();
      return false;
    }
    u.cacheStatus = status;
    u.head = head;
    u.cacheable = false;
    u.kept = true;
    u.judged = true;
    if (!passKeptHead(u)) {
      entry.free();
      return true;
    }
    if (request.headerOnly) {
      finalizeUpstream(u, OK);
      return true;
    }
    const { file, path } = entry;
    const { length, bodyStart, content } = file;
    const fd = file.take();
    close(u);
    if (content) {
      sendContent(request, content);
      return true;
    }
    const producer = new FileProducer({ path, descriptor: () => fd, close: () => closeSync(fd) });
    request.producer = producer;
    const { sink } = request;
    if (
      sink instanceof RangeSink &&
      sink.first === 0 &&
      sink.parts.every(({ end }) => end <= length - bodyStart)
    ) {
      const parts = sink.parts.map(({ before, start, end }) => ({
        before,
        start: start + bodyStart,
        end: end + bodyStart,
      }));
      producer.begin(request, sink.next, parts, sink.after);
    } else {
      producer.begin(request, sink, [{ ...whole(length), start: bodyStart }], NOTHING);
    }
    producer.resumeOutput(request);
    return true;
  }

  standsIn(u: Upstream, reason: number, failed: boolean): boolean {
    const entry = entryOf(u);
    if (!entry || u.cacheStatus !== 'EXPIRED') return false;
    if ((this.conf.useStale & reason) === 0 && !(failed && entry.usableOnError)) return false;
    return this.#answerAnew(u, entry, 'STALE');
  }

  /** The file has been closed since it was looked at. */
  #answerAnew(u: Upstream, entry: CacheEntry, status: string): boolean {
    if (!entry.openAgain()) return false;
    return this.#answer(u, entry, status);
  }

  revalidated(u: Upstream): boolean {
    const entry = entryOf(u);
    if (!entry || u.cacheStatus !== 'EXPIRED' || !this.conf.revalidate) return false;
    const now = nowSeconds();
    const { ignoreHeaders } = u.conf;
    const fresh = validityOf(u.head, ignoreHeaders, now);
    const old = parseHeadText(entry.kept.head);
    const validity = fresh.valid !== 0 || !old ? fresh : validityOf(old, ignoreHeaders, now);
    const valid = validity.valid || this.#validFor(old?.status ?? 200, now);
    if (valid !== 0 && entry.openAgain()) {
      const { updating, error } = validity;
      entry.kept = { ...entry.kept, valid, updating, error, date: now };
      entry.renew();
    }
    return this.#answerAnew(u, entry, 'REVALIDATED');
  }

  /** Until when a reply is fresh whose own lines say nothing, seconds since the epoch; 0: it is not kept. */
  #validFor(status: number, now: number): number {
    const rule = this.conf.valid.find((one) => one.status === 0 || one.status === status);
    return rule === undefined || rule.seconds === 0 ? 0 : now + rule.seconds;
  }

  head(u: Upstream): void {
    const entry = entryOf(u);
    if (!entry) return;
    const { request, head } = u;
    const now = nowSeconds();
    const validity = validityOf(head, u.conf.ignoreHeaders, now);
    if (validity.refused || !u.buffering || head.upgrade || holds(this.conf.noCache, request)) {
      u.cacheable = false;
    } else if (u.cacheable && u.cacheStatus === 'BYPASS' && !entry.create()) {
      u.cacheable = false;
    }
    const valid = validity.valid || this.#validFor(head.status, now);
    if (valid === 0) u.cacheable = false;
    if (u.cacheable) this.#write(u, entry, { ...validity, valid }, now);
    if (!u.cacheable) entry.free();
    u.judged = u.cacheable;
  }

  #write(
    u: Upstream,
    entry: CacheEntry,
    validity: {
      readonly valid: number;
      readonly updating: number;
      readonly error: number;
      readonly vary: string;
    },
    now: number,
  ): void {
    const { head } = u;
    const whole = head.status === 200 || head.status === 206;
    const modified = whole ? head.line('last-modified') : undefined;
    const { useTempPath, path } = entry.store.conf;
    try {
      const temp = new TempFile(useTempPath ? this.conf.tempPath : { path, levels: [] }, true);
      entry.write(
        {
          key: entry.kept.key,
          valid: validity.valid,
          updating: validity.updating,
          error: validity.error,
          date: now,
          lastModified: modified === undefined ? -1 : (parseHttpDate(modified) ?? -1),
          tag: (whole ? head.line('etag') : undefined) ?? '',
          vary: validity.vary,
          variant: Buffer.alloc(16),
          head: headText(head),
        },
        temp,
      );
    } catch (error) {
      this.#failed(u, error);
    }
  }

  #failed(u: Upstream, error: unknown): void {
    logRequest(
      u.request,
      CRIT,
      `a temporary file in "${this.conf.tempPath.path}" failed (${errorText(error)})`,
    );
    u.cacheable = false;
    entryOf(u)?.free();
  }

  body(u: Upstream, bytes: Uint8Array): void {
    try {
      entryOf(u)?.temp?.append(bytes);
    } catch (error) {
      this.#failed(u, error);
    }
  }

  complete(u: Upstream): void {
    entryOf(u)?.complete();
  }

  /** An error that the client gets a page of ours for is kept as a status. */
  #keepError(u: Upstream, entry: CacheEntry, verdict: Verdict): void {
    const now = nowSeconds();
    let valid = 0;
    if (verdict >= 300 && verdict === u.head.status) {
      const validity = validityOf(u.head, u.conf.ignoreHeaders, now);
      if (validity.refused) return;
      valid = validity.valid;
    } else if (verdict !== 502 && verdict !== 504) {
      return;
    }
    if (valid === 0) valid = this.#validFor(verdict, now);
    if (valid === 0) return;
    entry.kept = { ...entry.kept, valid };
    entry.errorStatus = verdict;
  }

  close(u: Upstream, verdict: Verdict): void {
    const entry = entryOf(u);
    if (!entry) return;
    if (u.cacheable && !u.headerSent) this.#keepError(u, entry, verdict);
    entry.free();
  }
}

/** `$upstream_cache_last_modified`, for the request that revalidates. */
export const cacheLastModified = ({ upstream }: Request): string | undefined => {
  const entry = upstream && revalidating(upstream);
  return entry && entry.kept.lastModified !== -1 ? httpDate(entry.kept.lastModified) : undefined;
};

/** `$upstream_cache_etag`, for the request that revalidates. */
export const cacheTag = ({ upstream }: Request): string | undefined =>
  (upstream && revalidating(upstream)?.kept.tag) || undefined;

const revalidating = (u: Upstream): CacheEntry | undefined => {
  const { cache } = u.conf;
  const asks = cache instanceof FileCache && cache.conf.revalidate && u.cacheStatus === 'EXPIRED';
  return asks ? entryOf(u) : undefined;
};
