import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Place } from '../../../src/config/contract.ts';
import { advise, type GroupFacts, type UseFacts } from '../../../src/upstream/advise.ts';

const on = (line: number): Place => ({ file: 'c', line, column: 1 });
const group: GroupFacts = {
  name: 'g',
  place: on(1),
  explicit: true,
  pool: 32,
  timeout: 60_000,
  servers: [{ text: 'a', place: on(2) }],
};
const http = (line: number, version = '1.1', connection?: string): UseFacts => ({
  group: 'G',
  place: on(line),
  httpVersion: { value: version, place: on(line) },
  connection: connection === undefined ? undefined : { value: connection, place: on(line) },
});
const fastcgi = (line: number, keep: boolean): UseFacts => ({
  group: 'g',
  place: on(line),
  keepConn: { value: keep, place: on(line) },
});

interface Case {
  readonly group?: Partial<GroupFacts>;
  readonly uses?: readonly UseFacts[];
  readonly quiet?: string;
  readonly says: string;
}

const cases: Readonly<Record<string, Case>> = {
  'a pool that is used': {
    uses: [http(5), http(6, '1.1', ''), http(7, '1.1', '$connection_upgrade')],
    says: 'pool of 32: used by 3 locations',
  },
  'nobody uses it': { says: 'pool of 32: not used' },
  'HTTP/1.0': {
    uses: [http(5, '1.0')],
    says: 'pool of 32: not used; "proxy_http_version" is 1.0 in c:5 [K01]',
  },
  'a Connection line that closes': {
    uses: [http(5), http(6, '1.1', 'close')],
    says: 'pool of 32: used by 1 location; "proxy_set_header Connection" is "close" in c:6 [K02]',
  },
  'HTTP/2, whatever its Connection line': {
    uses: [http(5, '2'), http(6, '2', 'close')],
    says: 'pool of 32: used by 2 locations',
  },
  'kept FastCGI connections without a pool': {
    group: { pool: 0, keepalive: on(3) },
    uses: [fastcgi(5, true)],
    says:
      'no pool; every request makes a connection, "keepalive" is 0 in c:3 [K08]; ' +
      '"fastcgi_keep_conn" is on, but without a pool the connection is closed by this side in c:5 [K03]',
  },
  'a pool that FastCGI does not use': {
    uses: [fastcgi(5, false)],
    says: 'pool of 32: not used; "fastcgi_keep_conn" is off in c:5 [K04]',
  },
  'keepalive before the method': {
    group: { keepalive: on(2), method: { name: 'ip_hash', place: on(3) } },
    says: 'pool of 32: not used; "keepalive" stands before "ip_hash": nginx before 1.29.7 then keeps nothing in c:2 [K05]',
  },
  'keepalive behind the method': {
    group: { keepalive: on(3), method: { name: 'ip_hash', place: on(2) } },
    says: 'pool of 32: not used',
  },
  'a small pool': {
    group: { pool: 1, keepalive: on(4), servers: [...group.servers, ...group.servers] },
    says: 'pool of 1: not used; the pool is smaller than the number of servers, 2 in c:4 [K06]',
  },
  'a server that closes sooner': {
    group: { servers: [{ text: 'a', place: on(2), closesAfter: 5000 }] },
    uses: [http(5)],
    says:
      'pool of 32: used by 1 location; "keepalive_timeout" is 60s but server "a" closes idle connections ' +
      'after 5s in c:2 [K07]',
  },
  'a warning that is switched off': {
    uses: [http(5, '1.0')],
    quiet: 'K01',
    says: 'pool of 32: not used',
  },
};

describe('what -t says of an upstream', () => {
  for (const [name, one] of Object.entries(cases)) {
    it(name, () => {
      const lines = advise(
        [{ ...group, ...one.group }],
        one.uses ?? [],
        (_place, code) => code === one.quiet,
      );
      assert.deepEqual(lines, [`upstream "g" in c:1: ${one.says}`]);
    });
  }
});
