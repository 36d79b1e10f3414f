/** Replies of upstream servers that are saved as files (`proxy_store`), as the engine asks for them. */
import { type Args, type Context, directive, type Parser, type Scope } from '../config/contract.ts';
import { access, wordAt } from '../config/parsers.ts';
import { CRIT } from '../log/levels.ts';
import { errorText } from '../platform/errno.ts';
import type { ReplyCache, TempPath } from '../upstream/contract.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { filePath } from './file-path.ts';
import { parseHttpDate } from './http-date.ts';
import { moveFile } from './move-file.ts';
import { templateAt } from './parsers.ts';
import type { Request } from './request.ts';
import { logRequest } from './request-log.ts';
import { TempFile } from './temp-file.ts';
import type { Template } from './template.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

/** The directives of a level that keep replies: a cache and a store can't both. */
const keepers = new WeakMap<Scope, Set<string>>();

/** Notes that the level keeps replies by this directive; fails where it does so by `other`. */
export const keepsReplies = (args: Args, other: string): void => {
  const names = keepers.get(args.scope) ?? new Set<string>();
  keepers.set(args.scope, names);
  if (names.has(other)) args.failDirective(`is incompatible with "${other}"`);
  names.add(args.name);
};

/** Where a reply goes: `on` where the location's `root` says, else a path. */
type Target = Template | 'on' | 'off';

const target: Parser<Target> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const { text } = word;
    if (text === 'off') return 'off';
    if (text === '') args.fail('empty path', word);
    keepsReplies(args, args.name.replace(/store$/, 'cache'));
    return text === 'on' ? 'on' : templateAt(args, 0);
  },
};

/** The rows named with a prefix. */
export const storeRows = (prefix: string) => ({
  store: directive<Target>(target, { in: WHERE, names: [`${prefix}_store`], initial: 'off' }),
  storeAccess: directive(access, { in: WHERE, names: [`${prefix}_store_access`], initial: 0o600 }),
});

/** Of a cache and a store on several levels the innermost one counts. True: it is the store. */
export const storeCounts = (prefix: string, scope: Scope): boolean => {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const names = keepers.get(at);
    if (names?.has(`${prefix}_store`)) return true;
    if (names?.has(`${prefix}_cache`)) return false;
  }
  return false;
};

/** The file that a reply is written to until it is complete. */
class Saved {
  constructor(readonly temp: TempFile) {}
}

export class ReplyStore implements ReplyCache {
  constructor(
    readonly target: Template | 'on',
    /** The mode of the files. */
    readonly mode: number,
    readonly tempPath: TempPath,
  ) {}

  begin(): boolean {
    return false;
  }

  standsIn(): boolean {
    return false;
  }

  revalidated(): boolean {
    return false;
  }

  head(u: Upstream): void {
    if (u.head.status !== 200 || !u.buffering || u.head.upgrade) return;
    try {
      u.entry = new Saved(new TempFile(this.tempPath, true));
      u.cacheable = true;
    } catch (error) {
      this.#failed(u, error);
    }
  }

  body(u: Upstream, bytes: Uint8Array): void {
    if (!(u.entry instanceof Saved)) return;
    try {
      u.entry.temp.append(bytes);
    } catch (error) {
      this.#failed(u, error);
    }
  }

  #failed(u: Upstream, error: unknown): void {
    const reason = errorText(error);
    logRequest(u.request, CRIT, `a temporary file in "${this.tempPath.path}" failed (${reason})`);
    this.close(u);
  }

  complete(u: Upstream): void {
    const { entry, head, request } = u;
    if (!(entry instanceof Saved)) return;
    const { temp } = entry;
    const path = head.contentLength < 0 || head.contentLength === temp.length ? this.#path(request) : '';
    if (path !== '') {
      const modified = head.line('last-modified');
      const time = modified === undefined ? -1 : (parseHttpDate(modified) ?? -1);
      const { mode } = this;
      moveFile(request, temp.path, path, {
        mode,
        pathMode: mode,
        time,
        createPath: true,
        deleteSource: true,
      });
    }
    this.close(u);
  }

  #path(request: Request): string {
    return this.target === 'on' ? (filePath(request) ?? '') : this.target.text(request);
  }

  close(u: Upstream): void {
    if (!(u.entry instanceof Saved)) return;
    u.entry.temp.remove();
    u.entry.temp.close();
    u.entry = undefined;
    u.cacheable = false;
  }
}
