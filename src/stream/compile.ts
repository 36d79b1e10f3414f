/** The complete stream block becomes what sessions meet: values merged, handlers collected from the modules. */
import { type AnyModule, resolve, type Scope } from '../config/contract.ts';
import { errorLogModule } from '../log/error-log-directive.ts';
import type { ServerBuild, StreamBuild } from './build.ts';
import { core } from './core-conf.ts';
import { type AnyStreamModule, type Handler, PHASES, type Phase, type Place } from './module.ts';

/** Fills a server with the configurations and handlers of all modules. */
const fill = (
  build: StreamBuild,
  { scope, runtime, names }: ServerBuild,
  modules: readonly AnyStreamModule[],
): void => {
  const levels: readonly Scope[] = [...(build.scope.parent ? [build.scope.parent] : []), build.scope, scope];
  const confs = new Map<AnyModule, unknown>(modules.map((module) => [module, resolve(module, levels)]));
  const first = names[0];
  runtime.name = first?.regex ? `~${first.text}` : (first?.text ?? '').replace(/^\./, '');
  runtime.core = resolve(core, levels);
  runtime.confs = (module) => confs.get(module);
  runtime.errorLogConf = resolve(errorLogModule, levels).error_log;
  const { specs, main } = runtime.errorLogConf;
  for (const { target } of main ? [] : specs) if (target.kind === 'file') build.logFiles.add(target.path);
  const place: Place = { server: runtime, build, scope };
  const run = (phase: Phase): readonly Handler[] =>
    modules.flatMap((module) => module.phases?.[phase]?.(confs.get(module) as never, place) ?? []);
  runtime.phases = PHASES.map(run);
  runtime.logs = run('log');
  for (const module of modules)
    runtime.content = module.content?.(confs.get(module) as never, place) ?? runtime.content;
};

/** Compiles a complete stream block. Throws ConfError in nginx's words. */
export const compileStream = (build: StreamBuild, modules: readonly AnyStreamModule[]): void => {
  for (const module of modules) module.complete?.(build);
  for (const server of build.servers) fill(build, server, modules);
  build.variables.bind();
};
