/**
 * All http modules, in one order that means something: handlers of a phase run in it, and so do header
 * filters, as in nginx: not_modified looks at the reply before others change it, headers adds to what is there,
 * then come filters that change the body, its compression, and the ranges of what is left; log is last.
 */
import { core } from '../core-conf.ts';
import type { AnyHttpModule } from '../module.ts';
import { accessModule } from './access.ts';
import { additionModule } from './addition.ts';
import { authBasicModule } from './auth-basic.ts';
import { authRequestModule } from './auth-request.ts';
import { autoindexModule } from './autoindex.ts';
import { browserModule } from './browser.ts';
import { cacheModule } from './cache.ts';
import { charsetModule } from './charset.ts';
import { davModule } from './dav.ts';
import { earlyReadModule } from './early-read.ts';
import { emptyGifModule } from './empty-gif.ts';
import { fastcgi } from './fastcgi.ts';
import { flvModule } from './flv.ts';
import { geoModule } from './geo.ts';
import { grpc } from './grpc.ts';
import { gunzipModule } from './gunzip.ts';
import { gzipModule } from './gzip.ts';
import { gzipStaticModule } from './gzip-static.ts';
import { headersModule } from './headers.ts';
import { http2Module } from './http2.ts';
import { indexModule } from './index-module.ts';
import { limitConnModule } from './limit-conn.ts';
import { limitReqModule } from './limit-req.ts';
import { logModule } from './log.ts';
import { mapModule } from './map.ts';
import { memcached } from './memcached.ts';
import { mirrorModule } from './mirror.ts';
import { mp4Module } from './mp4.ts';
import { notModifiedModule } from './not-modified.ts';
import { proxy } from './proxy.ts';
import { randomIndexModule } from './random-index.ts';
import { rangeModule } from './range.ts';
import { realipModule } from './realip.ts';
import { refererModule } from './referer.ts';
import { rewriteModule } from './rewrite.ts';
import { scgi } from './scgi.ts';
import { secureLinkModule } from './secure-link.ts';
import { sliceModule } from './slice.ts';
import { splitClientsModule } from './split-clients.ts';
import { ssiModule } from './ssi.ts';
import { sslModule } from './ssl.ts';
import { staticModule } from './static.ts';
import { stubStatusModule } from './stub-status.ts';
import { subFilterModule } from './sub-filter.ts';
import { tryFilesModule } from './try-files.ts';
import { tunnel } from './tunnel.ts';
import { upstream } from './upstream.ts';
import { upstreamBalancing } from './upstream-balancing.ts';
import { upstreamSticky } from './upstream-sticky.ts';
import { useridModule } from './userid.ts';
import { uwsgi } from './uwsgi.ts';
import { coreVariables } from './variables-core.ts';

export const httpModules: readonly AnyHttpModule[] = [
  core,
  earlyReadModule,
  coreVariables,
  sslModule,
  http2Module,
  mapModule,
  geoModule,
  browserModule,
  refererModule,
  splitClientsModule,
  secureLinkModule,
  cacheModule,
  upstream,
  upstreamBalancing,
  upstreamSticky,
  realipModule,
  rewriteModule,
  limitReqModule,
  limitConnModule,
  accessModule,
  authBasicModule,
  authRequestModule,
  tryFilesModule,
  mirrorModule,
  proxy,
  fastcgi,
  uwsgi,
  scgi,
  memcached,
  grpc,
  tunnel,
  emptyGifModule,
  flvModule,
  mp4Module,
  stubStatusModule,
  randomIndexModule,
  indexModule,
  autoindexModule,
  davModule,
  gzipStaticModule,
  staticModule,
  sliceModule,
  notModifiedModule,
  headersModule,
  useridModule,
  gunzipModule,
  additionModule,
  subFilterModule,
  charsetModule,
  ssiModule,
  gzipModule,
  rangeModule,
  logModule,
];
