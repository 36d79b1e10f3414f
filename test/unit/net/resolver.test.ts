/** The DNS client against a name server of the test's. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import type { Lookup } from '../../../src/net/lookup.ts';
import { Resolver, type ResolverConf } from '../../../src/net/resolver.ts';
import { type Answers, startNameServer, type TestNameServer, table } from '../../kit/name-server.ts';
import { freePort } from '../../kit/ports.ts';
import { Rig } from '../../kit/rig.ts';
import { until } from '../../kit/wait.ts';

const rig = new Rig();
after(() => rig.close());
// The client's sockets do not keep a process alive; a test waits for them.
const alive = setInterval(() => {}, 1000);
rig.defer(() => clearInterval(alive));

const resolverAt = (ports: readonly number[], conf: Partial<ResolverConf> = {}): [Resolver, string[]] => {
  const servers = ports.map((port) => ({ host: '127.0.0.1', port, name: `127.0.0.1:${port}` }));
  const made = new Resolver({ servers, valid: 0, ipv4: true, ipv6: false, ...conf });
  const log: string[] = [];
  made.log = (message) => log.push(message);
  return [made, log];
};

const start = async (
  answers: Answers,
  conf: Partial<ResolverConf> = {},
): Promise<{ server: TestNameServer; resolver: Resolver; log: string[] }> => {
  const server = await startNameServer(rig, answers);
  const [resolver, log] = resolverAt([server.port], conf);
  return { server, resolver, log };
};

const find = (resolver: Resolver, name: string, service = '', timeout = 5000): Promise<Lookup> =>
  new Promise((onResolved) => {
    resolver.lookup(name, service, timeout, { onResolved });
  });

const hosts = ({ addresses }: Lookup): readonly string[] => addresses.map(({ host }) => host);

describe('the resolver', () => {
  it('finds the addresses of a name, whatever its case', async () => {
    const { resolver, server } = await start(table({ 'a.test': ['A 127.0.0.2', 'A 127.0.0.3'] }));
    const lookup = await find(resolver, 'A.Test.');
    assert.deepEqual([lookup.code, hosts(lookup)], [0, ['127.0.0.2', '127.0.0.3']]);
    assert.equal(server.queries.length, 1);
  });

  it('asks for both families, and gives IPv4 first', async () => {
    const rows = { 'a.test': ['A 127.0.0.2', 'AAAA ::5'] };
    const both = await start(table(rows), { ipv6: true });
    assert.deepEqual(hosts(await find(both.resolver, 'a.test')), ['127.0.0.2', '::5']);
    const six = await start(table(rows), { ipv4: false, ipv6: true });
    assert.deepEqual(hosts(await find(six.resolver, 'a.test')), ['::5']);
    assert.equal(six.server.asked('a.test', 'A'), 0);
  });

  it('keeps an answer for its ttl, or as long as it is told', async () => {
    const short = await start(table({ 'a.test': ['0 A 127.0.0.2'] }), { valid: 60 });
    await find(short.resolver, 'a.test');
    await find(short.resolver, 'a.test');
    assert.equal(short.server.queries.length, 1);
    const long = await start(table({ 'a.test': ['60 A 127.0.0.2'], 'b.test': ['0 A 127.0.0.2'] }));
    const found = await find(long.resolver, 'a.test');
    const left = found.valid - Date.now() / 1000;
    assert.ok(left > 58 && left <= 60, `${left}`);
    await find(long.resolver, 'a.test');
    assert.equal(long.server.queries.length, 1);
    const { valid } = await find(long.resolver, 'b.test');
    await until(() => Math.floor(Date.now() / 1000) > valid, 'the next second');
    await find(long.resolver, 'b.test');
    assert.equal(long.server.asked('b.test'), 2);
  });

  it('shares one query among all who ask', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const { resolver, server } = await start(async () => {
      await held;
      return { records: ['A 127.0.0.2'] };
    });
    const all = Promise.all([find(resolver, 'a.test'), find(resolver, 'A.test'), find(resolver, 'a.test')]);
    await until(() => server.queries.length > 0, 'the query');
    release?.();
    assert.deepEqual((await all).map(hosts), [['127.0.0.2'], ['127.0.0.2'], ['127.0.0.2']]);
    assert.equal(server.queries.length, 1);
  });

  it('takes turns when it gives several from memory', async () => {
    const { resolver } = await start(table({ 'a.test': ['A 127.0.0.2', 'A 127.0.0.3'] }));
    const first = new Set<string | undefined>();
    for (let i = 0; i < 60; i++) first.add(hosts(await find(resolver, 'a.test'))[0]);
    assert.equal(first.size, 2);
  });

  it('follows CNAMEs, in one reply and over several', async () => {
    const { resolver, server } = await start(
      table({
        'one.test A': { records: ['CNAME x.test', 'A 127.0.0.4'] },
        'many.test': ['CNAME next.test'],
        'next.test': ['CNAME last.test'],
        'last.test': ['A 127.0.0.5'],
        'loop.test': ['CNAME loop.test'],
        'lost.test': ['CNAME nowhere.test'],
      }),
    );
    assert.deepEqual(hosts(await find(resolver, 'one.test')), ['127.0.0.4']);
    const found = await find(resolver, 'many.test');
    assert.deepEqual([found.name, hosts(found)], ['many.test', ['127.0.0.5']]);
    assert.equal((await find(resolver, 'loop.test')).code, 3);
    assert.equal(server.asked('loop.test'), 1);
    assert.equal((await find(resolver, 'lost.test')).code, 3);
  });

  for (const [code, ipv6] of [
    [2, false],
    [3, false],
    [5, false],
    [2, true],
    [3, true],
  ] as const) {
    it(`gives the error ${code}${ipv6 ? ' of one of two questions' : ''}, and does not keep it`, async () => {
      let failing = true;
      const { resolver } = await start(
        ({ type }) =>
          failing && (!ipv6 || type === 'AAAA')
            ? { code }
            : { records: [type === 'A' ? 'A 127.0.0.2' : 'AAAA ::2'] },
        { ipv6 },
      );
      const lookup = await find(resolver, 'a.test');
      assert.deepEqual([lookup.code, lookup.addresses.length], [code, 0]);
      failing = false;
      assert.equal((await find(resolver, 'a.test')).code, 0);
    });
  }

  it('takes an empty answer for a name that does not exist', async () => {
    const { resolver } = await start(() => ({}), { ipv6: true });
    assert.equal((await find(resolver, 'a.test')).code, 3);
  });

  it('asks nobody for what can be no name', async () => {
    const { resolver, server } = await start(() => ({ records: ['A 127.0.0.2'] }));
    assert.equal((await find(resolver, 'a..test')).code, 3);
    assert.equal(server.queries.length, 0);
  });

  it('gives up after its time, and hears a late answer for the next who asks', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const { resolver, server } = await start(async () => {
      await held;
      return { records: ['A 127.0.0.2'] };
    });
    assert.equal((await find(resolver, 'a.test', '', 50)).code, 110);
    const next = find(resolver, 'a.test');
    await until(() => server.queries.length === 2, 'the second query');
    release?.();
    assert.deepEqual(hosts(await next), ['127.0.0.2']);
  });

  it('does not tell one who has cancelled', async () => {
    let release: (() => void) | undefined;
    const held = new Promise<void>((done) => {
      release = done;
    });
    const { resolver, server } = await start(async () => {
      await held;
      return { records: ['A 127.0.0.2'] };
    });
    let told = 0;
    const lookup = resolver.lookup('a.test', '', 5000, { onResolved: () => told++ });
    const other = find(resolver, 'a.test');
    await until(() => server.queries.length > 0, 'the query');
    lookup.cancel();
    release?.();
    await other;
    assert.equal(told, 0);
  });

  it('repeats a query at the next server', async () => {
    const dead = await startNameServer(rig, () => undefined);
    const good = await startNameServer(rig, table({ 'a.test': ['A 127.0.0.2'] }));
    const [resolver] = resolverAt([dead.port, good.port]);
    assert.deepEqual(hosts(await find(resolver, 'a.test', '', 10_000)), ['127.0.0.2']);
    assert.deepEqual([dead.queries.length, good.queries.length], [1, 1]);
  });

  it('begins with another server for each name', async () => {
    const answers = table({ 'a.test': ['A 127.0.0.2'], 'b.test': ['A 127.0.0.3'] });
    const servers = [await startNameServer(rig, answers), await startNameServer(rig, answers)];
    const [resolver] = resolverAt(servers.map(({ port }) => port));
    await find(resolver, 'a.test');
    await find(resolver, 'b.test');
    assert.deepEqual(
      servers.map(({ queries }) => queries.length),
      [1, 1],
    );
  });

  it('logs a server that is not there, and waits', async () => {
    const port = await freePort();
    const [resolver, log] = resolverAt([port]);
    const lookup = await find(resolver, 'a.test', '', 200);
    assert.equal(lookup.code, 110);
    assert.deepEqual(log, [
      `recv() failed (111: Connection refused) while resolving, resolver: 127.0.0.1:${port}`,
    ]);
  });

  it('asks again over TCP for what does not fit', async () => {
    const many = Array.from({ length: 200 }, (_, i) => `A 127.0.1.${i}`);
    const { resolver, server } = await start(({ tcp }) => (tcp ? { records: many } : { truncated: true }), {
      ipv6: false,
    });
    assert.equal((await find(resolver, 'a.test')).addresses.length, 200);
    assert.deepEqual(
      server.queries.map(({ tcp }) => tcp),
      [false, true],
    );
  });

  it('takes no answer to another question', async () => {
    let tries = 0;
    const wrong: readonly ((bytes: Buffer) => Buffer)[] = [
      (bytes) => {
        bytes.writeUInt16BE((bytes.readUInt16BE(0) + 1) & 0xffff, 0);
        return bytes;
      },
      (bytes) => {
        bytes.write('b', 13);
        return bytes;
      },
      (bytes) => bytes.subarray(0, 20),
    ];
    const { resolver, log } = await start(() => {
      const change = wrong[tries++];
      return change ? { records: ['A 127.0.0.66'], change } : { records: ['A 127.0.0.2'] };
    });
    for (const message of [
      /^wrong ident \d+ in DNS response for a\.test, expect \d+$/,
      /^unexpected DNS response for b\.test$/,
      /^short DNS response$/,
    ]) {
      assert.equal((await find(resolver, 'a.test', '', 100)).code, 110);
      assert.match(log.at(-1) ?? '', message);
    }
    assert.deepEqual(hosts(await find(resolver, 'a.test')), ['127.0.0.2']);
  });

  it('takes no answer from another sender', async () => {
    const { resolver, server } = await start(() => undefined);
    const waiting = find(resolver, 'a.test', '', 300);
    await until(() => server.queries.length > 0, 'the query');
    const other = await startNameServer(rig, () => undefined);
    const [query] = server.queries;
    assert.ok(query);
    other.send(query, { records: ['A 127.0.0.66'] });
    assert.equal((await waiting).code, 110);
  });

  it('draws its ids and ports', async () => {
    const { resolver, server } = await start(() => ({ records: ['0 A 127.0.0.2'] }));
    for (let i = 0; i < 12; i++) await find(resolver, `a${i}.test`);
    assert.ok(new Set(server.queries.map(({ id }) => id)).size > 10);
    assert.ok(new Set(server.queries.map(({ from }) => from)).size > 6);
  });

  it('logs an error that tells of no name', async () => {
    const { resolver, log } = await start(() => ({ code: 1 }));
    await find(resolver, 'a.test', '', 100);
    assert.match(log[0] ?? '', /^DNS error \(1: Format error\), query id:\d+, name:"a\.test"$/);
  });

  it('speaks to servers at IPv6 addresses', async () => {
    const server = await startNameServer(rig, table({ 'a.test': ['A 127.0.0.2'] }), '::1');
    const resolver = new Resolver({
      servers: [{ host: '::1', port: server.port, name: `[::1]:${server.port}` }],
      valid: 0,
      ipv4: true,
      ipv6: false,
    });
    assert.deepEqual(hosts(await find(resolver, 'a.test')), ['127.0.0.2']);
  });
});

describe('the resolver of services', () => {
  const rows = {
    '_http._tcp.a.test': ['SRV 2 5 8003 back.test', 'SRV 1 5 8001 one.test', 'SRV 1 0 8002 two.test'],
    '_x._udp.a.test': ['SRV 1 5 8001 one.test'],
    '_gone._tcp.a.test': ['SRV 1 5 8001 nowhere.test', 'SRV 1 5 8001 one.test'],
    '_none._tcp.a.test': ['SRV 1 5 8001 nowhere.test'],
    '_alias._tcp.a.test': ['CNAME _x._udp.a.test'],
    'one.test': ['A 127.0.0.1', 'A 127.0.0.2'],
    'two.test': ['A 127.0.0.3'],
    'back.test': ['A 127.0.0.4'],
  };

  it('gives the addresses by priority, with port, weight and name', async () => {
    const { resolver } = await start(table(rows));
    const { addresses } = await find(resolver, 'a.test', 'http');
    assert.deepEqual(
      addresses
        .map(({ host, port, priority, weight, name }) => `${priority} ${host}:${port} ${weight} ${name}`)
        .sort(),
      [
        '1 127.0.0.1:8001 5 one.test',
        '1 127.0.0.2:8001 5 one.test',
        '1 127.0.0.3:8002 1 two.test',
        '2 127.0.0.4:8003 5 back.test',
      ],
    );
    assert.equal(addresses.at(-1)?.host, '127.0.0.4');
  });

  it('takes a service with a dot as it is written', async () => {
    const { resolver } = await start(table(rows));
    assert.equal((await find(resolver, 'a.test', '_x._udp')).addresses.length, 2);
  });

  it('follows a CNAME', async () => {
    const { resolver } = await start(table(rows));
    assert.equal((await find(resolver, 'a.test', 'alias')).addresses.length, 2);
  });

  it('tells which of its names has no address', async () => {
    const { resolver } = await start(table(rows));
    const some = await find(resolver, 'a.test', 'gone');
    assert.deepEqual([some.code, some.addresses.length], [0, 2]);
    assert.deepEqual(some.lost, [{ name: 'nowhere.test', code: 3 }]);
    const none = await find(resolver, 'a.test', 'none');
    assert.deepEqual([none.code, none.addresses.length], [3, 0]);
  });

  it('is not found where there is no record', async () => {
    const { resolver } = await start(table(rows));
    assert.equal((await find(resolver, 'b.test', 'http')).code, 3);
  });
});
