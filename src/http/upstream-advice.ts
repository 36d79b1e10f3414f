/** The lines about upstream pools that a configuration test adds: collects the facts, and what comments silence. */
import { readFileSync } from 'node:fs';
import type { Place, Scope } from '../config/contract.ts';
import { advise, type GroupFacts, type Setting, type Silenced, type UseFacts } from '../upstream/advise.ts';
import type { GroupRef } from '../upstream/registry.ts';
import type { HttpBuild } from './build.ts';
import type { Location } from './location.ts';
import { fastcgi } from './modules/fastcgi.ts';
import { grpc } from './modules/grpc.ts';
import { memcached } from './modules/memcached.ts';
import { proxy } from './modules/proxy.ts';

/** Where the directive that holds in `scope` is written, or `fallback` where it is a default. */
const placeOf = (scope: Scope, name: string, fallback: Place): Place => {
  for (let at: Scope | undefined = scope; at; at = at.parent) {
    const place = at.set.get(name);
    if (place) return place;
  }
  return fallback;
};

/** A block's name, or an address with its port. */
const nameOf = ({ group, name, text }: GroupRef): string => (group.explicit ? name : text);

const proxyUse = (scope: Scope, location: Location): UseFacts | undefined => {
  const conf = location.confOf(proxy);
  const { proxy_pass: pass } = conf;
  if (!pass?.fixed || pass.scope !== scope) return undefined;
  const header = conf.proxy_set_header.findLast(({ name }) => name.toLowerCase() === 'connection');
  const connection: Setting<string> | undefined = header && {
    value: header.value.source,
    place: header.place,
  };
  const place = placeOf(scope, 'proxy_http_version', pass.place);
  return {
    group: nameOf(pass.fixed.ref),
    place: pass.place,
    httpVersion: { value: conf.proxy_http_version, place },
    connection,
  };
};

const fastcgiUse = (scope: Scope, location: Location): UseFacts | undefined => {
  const conf = location.confOf(fastcgi);
  const pass = conf.fastcgi_pass;
  if (!pass?.ref || pass.scope !== scope) return undefined;
  const place = placeOf(scope, 'fastcgi_pass', pass.ref.place);
  const keepConn = { value: conf.fastcgi_keep_conn, place: placeOf(scope, 'fastcgi_keep_conn', place) };
  return { group: nameOf(pass.ref), place, keepConn };
};

/** Protocols that keep connections without being asked to. */
const otherUse = (scope: Scope, location: Location): UseFacts | undefined => {
  const { grpc_pass: call } = location.confOf(grpc);
  if (call?.ref && call.scope === scope) return useOf(call.ref, scope, 'grpc_pass');
  const { memcached_pass: lookup } = location.confOf(memcached);
  if (lookup?.pass.scope === scope) return useOf(lookup.ref, scope, 'memcached_pass');
  return undefined;
};

const useOf = (ref: GroupRef, scope: Scope, directive: string): UseFacts => ({
  group: nameOf(ref),
  place: placeOf(scope, directive, ref.place),
});

/** When a server of this same configuration listens there: how long it keeps idle connections, ms. */
const closesAfter = (build: HttpBuild, target: string): number | undefined => {
  const port = target.slice(target.lastIndexOf(':'));
  const address =
    build.addresses.get(target) ??
    build.addresses.get(`0.0.0.0${port}`) ??
    build.addresses.get(`[::]${port}`);
  return address?.fallback.runtime.location.core.keepalive;
};

const explicitGroups = (build: HttpBuild): readonly GroupFacts[] =>
  build.upstreams.blocks.map((block) => ({
    name: block.name,
    place: block.place,
    explicit: true,
    pool: block.poolSize,
    keepalive: block.keepalive?.place,
    method: block.method,
    timeout: block.keepaliveTimeout,
    timeoutPlace: block.keepaliveTimeoutPlace,
    servers: block.servers.map(({ text, targets, place }) => ({
      text,
      place,
      closesAfter: closesAfter(build, targets[0]?.name ?? ''),
    })),
  }));

const implicitGroups = (uses: readonly UseFacts[], known: readonly GroupFacts[]): readonly GroupFacts[] => {
  const names = new Set(known.map(({ name }) => name.toLowerCase()));
  const found = new Map<string, GroupFacts>();
  for (const { group: name, place } of uses) {
    if (names.has(name.toLowerCase()) || found.has(name)) continue;
    found.set(name, { name, place, explicit: false, pool: 0, timeout: 0, servers: [] });
  }
  return [...found.values()];
};

/** Looks for `# sluice: K01` (several codes with commas or spaces) on the lines of the files themselves. */
const bySource = (): Silenced => {
  const files = new Map<string, readonly string[]>();
  const linesOf = (file: string): readonly string[] => {
    let lines = files.get(file);
    if (!lines) {
      try {
        lines = readFileSync(file, 'latin1').split('\n');
      } catch {
        lines = [];
      }
      files.set(file, lines);
    }
    return lines;
  };
  return ({ file, line }, code) => {
    const codes = /#.*\bsluice:\s*([\w\s,]+)/.exec(linesOf(file)[line - 1] ?? '')?.[1] ?? '';
    return codes.split(/[\s,]+/).includes(code);
  };
};

/** One line for each upstream of a configuration that has been read and compiled. */
export const upstreamAdvice = (build: HttpBuild): readonly string[] => {
  const uses = [...build.locations].flatMap(([scope, location]) => {
    const use = proxyUse(scope, location) ?? fastcgiUse(scope, location) ?? otherUse(scope, location);
    return use ? [use] : [];
  });
  const explicit = explicitGroups(build);
  return advise([...explicit, ...implicitGroups(uses, explicit)], uses, bySource());
};
