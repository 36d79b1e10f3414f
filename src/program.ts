/** The program: every module there is, and how a configuration that has been read becomes services. */
import type { AnyModule } from './config/contract.ts';
import { HTTP } from './http/build.ts';
import { compileHttp } from './http/compile.ts';
import { httpBlock } from './http/http-block.ts';
import { httpModules } from './http/modules/index.ts';
import { HttpService } from './http/service.ts';
import { upstreamAdvice } from './http/upstream-advice.ts';
import { errorLogModule } from './log/error-log-directive.ts';
import type { Program, Service } from './process/contract.ts';
import { coreModule } from './process/core-module.ts';
import { eventsModule } from './process/events-module.ts';
import { STREAM } from './stream/build.ts';
import { compileStream } from './stream/compile.ts';
import { streamModules } from './stream/modules/index.ts';
import { StreamService } from './stream/service.ts';
import { streamBlock } from './stream/stream-block.ts';

const blocks = httpBlock(
  () => httpModules,
  (build) => compileHttp(build, httpModules),
);

const streams = streamBlock(
  () => streamModules,
  (build) => compileStream(build, streamModules),
);

const modules: readonly AnyModule[] = [
  coreModule,
  eventsModule,
  errorLogModule,
  blocks,
  ...httpModules,
  streams,
  ...streamModules,
];

export const program: Program = {
  modules,
  services(main): readonly Service[] {
    const services = main.children.flatMap((scope): readonly (HttpService | StreamService)[] => {
      const build = scope.context === 'http' ? scope.find(HTTP) : undefined;
      const stream = scope.context === 'stream' ? scope.find(STREAM) : undefined;
      if (stream) return [new StreamService(stream, streamModules)];
      return build ? [new HttpService(build, httpModules)] : [];
    });
    for (const one of services) if (one instanceof StreamService) one.reachable = services;
    return services;
  },
  advise: (main) =>
    main.children.flatMap((scope) => {
      const build = scope.context === 'http' ? scope.find(HTTP) : undefined;
      return build ? upstreamAdvice(build) : [];
    }),
};
