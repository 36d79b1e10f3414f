/** What a configuration test says of each upstream's pool: who uses it, and what keeps others from it. */
import type { Place } from '../config/contract.ts';

/** A group of the configuration, as plain data. */
export interface GroupFacts {
  readonly name: string;
  /** The `upstream` block, or the first directive that names the address. */
  readonly place: Place;
  /** Written as an `upstream` block. */
  readonly explicit: boolean;
  /** Connections its pool keeps; 0: it has none. */
  readonly pool: number;
  /** Where `keepalive` is written. */
  readonly keepalive?: Place | undefined;
  /** The balancing method. */
  readonly method?: { readonly name: string; readonly place: Place } | undefined;
  /** Milliseconds. */
  readonly timeout: number;
  readonly timeoutPlace?: Place | undefined;
  readonly servers: readonly ServerFacts[];
}

export interface ServerFacts {
  readonly text: string;
  readonly place: Place;
  /** Milliseconds after which it closes idle connections, where that is known. */
  readonly closesAfter?: number | undefined;
}

/** A value of a location, and where it is written (the location itself where it is a default). */
export interface Setting<T> {
  readonly value: T;
  readonly place: Place;
}

/** A location that passes requests to a group. */
export interface UseFacts {
  readonly group: string;
  /** The `proxy_pass`, `fastcgi_pass`, `grpc_pass` or `memcached_pass`. */
  readonly place: Place;
  readonly httpVersion?: Setting<string> | undefined;
  /** The Connection line sent; undefined where none is set. */
  readonly connection?: Setting<string> | undefined;
  /** `fastcgi_keep_conn`. */
  readonly keepConn?: Setting<boolean> | undefined;
}

/** Whether a comment on that line (`# sluice: K01`) switches the warning off. */
export type Silenced = (place: Place, code: string) => boolean;

interface Warning {
  readonly code: string;
  readonly place: Place;
  readonly text: string;
}

const at = (place: Place): string => `in ${place.file}:${place.line}`;
const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

/** Why a location's connections to a group with a pool are not kept. */
const hindrance = (use: UseFacts): Warning | undefined => {
  const { httpVersion, connection, keepConn } = use;
  if (keepConn && !keepConn.value) {
    return { code: 'K04', place: keepConn.place, text: '"fastcgi_keep_conn" is off' };
  }
  if (httpVersion?.value === '1.0') {
    return { code: 'K01', place: httpVersion.place, text: `"proxy_http_version" is ${httpVersion.value}` };
  }
  const value = connection?.value.toLowerCase() ?? '';
  // The line means nothing to connections of HTTP/2.
  if (
    connection &&
    httpVersion?.value !== '2' &&
    !value.includes('$') &&
    !['', 'upgrade', 'keep-alive'].includes(value)
  ) {
    return {
      code: 'K02',
      place: connection.place,
      text: `"proxy_set_header Connection" is "${connection.value}"`,
    };
  }
  return undefined;
};

/** Warnings about the group itself. */
const groupWarnings = (group: GroupFacts): readonly Warning[] => {
  const { keepalive, method, servers } = group;
  const found: Warning[] = [];
  const before =
    keepalive &&
    method &&
    (keepalive.file === method.place.file ? keepalive.line < method.place.line : false);
  if (keepalive && method && before) {
    found.push({
      code: 'K05',
      place: keepalive,
      text: `"keepalive" stands before "${method.name}": nginx before 1.29.7 then keeps nothing`,
    });
  }
  if (group.pool < servers.length) {
    found.push({
      code: 'K06',
      place: keepalive ?? group.place,
      text: `the pool is smaller than the number of servers, ${servers.length}`,
    });
  }
  for (const { text, place, closesAfter } of servers) {
    if (closesAfter === undefined || closesAfter > group.timeout) continue;
    found.push({
      code: 'K07',
      place: group.timeoutPlace ?? place,
      text: `"keepalive_timeout" is ${group.timeout / 1000}s but server "${text}" closes idle connections after ${closesAfter / 1000}s`,
    });
  }
  return found;
};

/** Warnings about a group without a pool. */
const withoutPool = (group: GroupFacts, uses: readonly UseFacts[]): readonly Warning[] => {
  const why = group.explicit ? '"keepalive" is 0' : 'it is not an "upstream" block';
  const place = group.keepalive ?? group.place;
  const kept = uses.flatMap(({ keepConn }) => (keepConn?.value ? [keepConn] : []));
  const first: Warning = { code: 'K08', place, text: `every request makes a connection, ${why}` };
  return [
    first,
    ...kept.map(
      (one): Warning => ({
        code: 'K03',
        place: one.place,
        text: '"fastcgi_keep_conn" is on, but without a pool the connection is closed by this side',
      }),
    ),
  ];
};

/** One line for each group, in their order: its pool, the locations that use it, and the warnings. */
export const advise = (
  groups: readonly GroupFacts[],
  uses: readonly UseFacts[],
  silenced: Silenced,
): readonly string[] => {
  const users = new Map<string, UseFacts[]>();
  for (const use of uses) {
    const name = use.group.toLowerCase();
    const own = users.get(name);
    if (own) own.push(use);
    else users.set(name, [use]);
  }
  return groups.map((group) => {
    const own = users.get(group.name.toLowerCase()) ?? [];
    const hindered = own.flatMap((use) => {
      const found = hindrance(use);
      return found ? [found] : [];
    });
    const warnings =
      group.pool === 0
        ? withoutPool(group, own)
        : [
            ...groupWarnings(group),
            ...new Map(hindered.map((one) => [`${one.code} ${at(one.place)}`, one])).values(),
          ];
    const heard = warnings.filter(({ code, place }) => !silenced(place, code));
    const using = own.length - hindered.length;
    const state =
      group.pool === 0
        ? 'no pool'
        : `pool of ${group.pool}: ${using > 0 ? `used by ${count(using, 'location')}` : 'not used'}`;
    const parts = heard.map(({ code, place, text }) => `${text} ${at(place)} [${code}]`);
    return `upstream "${group.name}" ${at(group.place)}: ${[state, ...parts].join('; ')}`;
  });
};
