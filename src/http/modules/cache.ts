/** The folders of kept replies (`proxy_cache_path`, `fastcgi_cache_path`), and the variables about them. */
import { statement } from '../../config/contract.ts';
import type { HttpBuild } from '../build.ts';
import { cacheLastModified, cacheTag } from '../cache/cache.ts';
import { allStores, declareStore } from '../cache/cache-path.ts';
import { CacheManager } from '../cache/manager.ts';
import { httpModule } from '../module.ts';

/** One family's folders. */
const paths = (prefix: string) =>
  statement({
    in: ['http'],
    arity: { min: 2, max: Number.POSITIVE_INFINITY },
    repeats: true,
    run: (args) => declareStore(args, prefix),
  });

const managers = new WeakMap<HttpBuild, readonly CacheManager[]>();

export const cacheModule = httpModule({
  name: 'http_cache',
  directives: {
    proxy_cache_path: paths('proxy'),
    fastcgi_cache_path: paths('fastcgi'),
    uwsgi_cache_path: paths('uwsgi'),
    scgi_cache_path: paths('scgi'),
  },
  variables: {
    upstream_cache_status: { get: ({ upstream }) => upstream?.cacheStatus || undefined },
    upstream_cache_last_modified: { get: cacheLastModified },
    upstream_cache_etag: { get: cacheTag },
  },
  prepare(build, context) {
    const stores = allStores(build.scope);
    for (const store of stores) store.open();
    if (context.worker === 0)
      managers.set(
        build,
        stores.map((store) => new CacheManager(store)),
      );
  },
  close(build) {
    for (const manager of managers.get(build) ?? []) manager.stop();
  },
});
