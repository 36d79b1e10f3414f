/** The modules of stream. Their order is the order of handlers within a phase. */
import { core } from '../core-conf.ts';
import type { AnyStreamModule } from '../module.ts';
import { logModule } from './log.ts';
import { proxyModule } from './proxy.ts';
import { returnModule } from './return.ts';
import { upstream } from './upstream.ts';
import { upstreamBalancing } from './upstream-balancing.ts';
import { coreVariables } from './variables.ts';

export const streamModules: readonly AnyStreamModule[] = [
  core,
  coreVariables,
  upstream,
  upstreamBalancing,
  proxyModule,
  returnModule,
  logModule,
];
