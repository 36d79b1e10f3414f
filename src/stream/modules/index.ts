/** The modules of stream. Their order is the order of handlers within a phase. */
import { core } from '../core-conf.ts';
import type { AnyStreamModule } from '../module.ts';
import { accessModule } from './access.ts';
import { geoModule } from './geo.ts';
import { limitConnModule } from './limit-conn.ts';
import { logModule } from './log.ts';
import { mapModule } from './map.ts';
import { passModule } from './pass.ts';
import { proxyModule } from './proxy.ts';
import { realipModule } from './realip.ts';
import { returnModule } from './return.ts';
import { setModule } from './set.ts';
import { splitClientsModule } from './split-clients.ts';
import { sslModule } from './ssl.ts';
import { sslPrereadModule } from './ssl-preread.ts';
import { upstream } from './upstream.ts';
import { upstreamBalancing } from './upstream-balancing.ts';
import { coreVariables } from './variables.ts';

export const streamModules: readonly AnyStreamModule[] = [
  core,
  coreVariables,
  upstream,
  upstreamBalancing,
  realipModule,
  accessModule,
  geoModule,
  mapModule,
  splitClientsModule,
  setModule,
  limitConnModule,
  proxyModule,
  returnModule,
  passModule,
  sslModule,
  sslPrereadModule,
  logModule,
];
