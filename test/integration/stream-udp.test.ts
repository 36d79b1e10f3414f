/** UDP in `stream`: sessions of datagrams over real sockets, what they are told, and what is logged of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNameServer, type TestNameServer } from '../kit/name-server.ts';
import { freePorts } from '../kit/ports.ts';
import { BINARY, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { type Datagram, Udp } from '../kit/udp.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Udp;
/** What has asked the backend last. */
let asked: Datagram | undefined;
/** Nobody listens there. */
let dead = 0;
let names: TestNameServer;

/** `N:text` is answered N times, `text` once with the port that it came from in front of it. */
const answer = (datagram: Datagram, udp: Udp): void => {
  asked = datagram;
  const { text, from } = datagram;
  const times = /^(\d):(.*)$/s.exec(text);
  for (let left = Number(times?.[1] ?? 0); left > 0; left--) udp.sendTo(times?.[2] ?? '', from);
  if (!times) udp.sendTo(`${from.port} ${text}`, from);
};

before(async () => {
  backend = await Udp.server(rig, answer);
  names = await startNameServer(rig, ({ type }) => ({ records: type === 'A' ? ['A 127.0.0.1'] : [] }));
  [dead = 0] = await freePorts(1);
  const to = `proxy_pass 127.0.0.1:${backend.port};`;
  const server = (name: string, rest: string): string =>
    `server { listen 127.0.0.1:%port:${name}% udp; ${rest} }`;
  proxy = await startProxy(
    rig,
    streamConf(
      `
      log_format t '$status|$bytes_received|$bytes_sent|$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|$protocol';
      access_log %dir%/access.log t;
      proxy_timeout 5s;
      upstream two { server 127.0.0.1:${dead} fail_timeout=60s; server 127.0.0.1:${backend.port}; }
      ${server('echo', `${to}`)}
      ${server('once', `${to} proxy_responses 1;`)}
      ${server('pairs', `${to} proxy_requests 2; proxy_responses 1;`)}
      ${server('mute', `${to} proxy_responses 0;`)}
      ${server('short', `${to} proxy_timeout 200ms;`)}
      ${server('missing', `${to} proxy_timeout 200ms; proxy_responses 2;`)}
      ${server('small', `${to} proxy_buffer_size 100;`)}
      ${server('v1', `${to} proxy_protocol on;`)}
      ${server('v2', `${to} proxy_protocol v2;`)}
      ${server('bound', `${to} proxy_bind 127.0.0.5;`)}
      ${server('dead', `proxy_pass 127.0.0.1:${dead}; proxy_responses 1;`)}
      ${server('two', 'proxy_pass two; proxy_responses 1;')}
      ${server('unreachable', 'proxy_pass 255.255.255.255:9; proxy_responses 1;')}
      ${server('named', `resolver 127.0.0.1:${names.port}; proxy_pass $hostname.test:${backend.port};`)}
      ${server('empty', '')}
      server { listen 127.0.0.1:%port:text% udp; listen 127.0.0.1:%port:text%;
        return '$protocol $remote_addr $server_port $bytes_received'; }
      server { listen *:%port:all% udp; return 'all $server_addr'; }
      server { listen 127.0.0.2:%port:all% udp; return 'one $server_addr'; }
      server { listen [::]:%port:six% udp; return '$remote_addr $server_addr'; }`,
    ),
  );
});
after(() => rig.close());

const accessLog = (): string => {
  const path = join(proxy.dir, 'access.log');
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
};

/** Waits for a new line in the access log. */
const logged = async (from: string): Promise<string> => {
  await until(() => accessLog().length > from.length, 'a line of the access log');
  return accessLog().slice(from.length).trim();
};

/** Waits for a line of the error log that matches; answers it without its time and process. */
const said = async (what: RegExp): Promise<string> => {
  const log = await proxy.logged(what);
  const lines = log.split('\n').filter((line) => what.test(line));
  return (lines.at(-1) ?? '').replace(/^\S+ \S+ (\[\w+\]) \S+ /, '$1 ').replace(/\*\d+ /, '');
};

const client = (name: string, address?: string): Promise<Udp> => Udp.client(rig, proxy.port(name), address);

describe('sessions', () => {
  test('go by the client: its datagrams come from one socket, another client has another', async () => {
    const [one, other] = [await client('echo'), await client('echo')];
    const [first, second] = [await one.ask('a'), await one.ask('b')];
    assert.match(first, /^\d+ a$/);
    assert.equal(second, first.replace('a', 'b'));
    assert.notEqual(await other.ask('a'), first);
  });

  test('datagrams of any length pass whole and in their order', async () => {
    const one = await client('echo');
    for (const length of [9000, 1, 0, 16_000]) one.send(`1:${'x'.repeat(length)}`);
    for (const length of [9000, 1, 0, 16_000]) assert.equal((await one.next()).length, length);
  });

  test('what is longer than the buffer is cut, but for the first', async () => {
    const one = await client('small');
    one.send(`1:${'x'.repeat(300)}`);
    assert.equal((await one.next()).length, 100, 'the answer is cut too');
    assert.equal(asked?.text.length, 302);
    one.send(`1:${'y'.repeat(300)}`);
    assert.equal((await one.next()).length, 98);
    assert.equal(asked?.text.length, 100);
  });

  test('are over after proxy_responses, which are counted for each request', async () => {
    const before = accessLog();
    const one = await client('once');
    assert.equal(await one.ask('1:xyz'), 'xyz');
    assert.equal(await logged(before), `200|5|3|127.0.0.1:${backend.port}|5|3|UDP`);
    assert.equal(
      await said(/udp done, packets from\/to client:1\/1/),
      '[info] udp done, packets from/to client:1/1, bytes from/to client:5/3, bytes from/to upstream:3/5',
    );
  });

  test('answers beyond proxy_responses that are there at the time still pass', async () => {
    const one = await client('once');
    one.send('3:q');
    assert.equal(await one.next(), 'q');
  });

  test('take proxy_requests datagrams; the next one begins another', async () => {
    const one = await client('pairs');
    const first = await one.ask('a');
    assert.equal(await one.ask('a'), first);
    assert.notEqual(await one.ask('a'), first);
  });

  test('without answers to wait for are over at once', async () => {
    const before = accessLog();
    const one = await client('mute');
    one.send('0:x');
    assert.equal(await logged(before), `200|3|0|127.0.0.1:${backend.port}|3|0|UDP`);
  });

  test('are said to begin', async () => {
    const one = await client('once');
    await one.ask('x');
    const at = `127.0.0.1:${proxy.port('once')}`;
    assert.equal(
      await said(new RegExp(`udp client 127.0.0.1:${one.port} `)),
      `[info] udp client 127.0.0.1:${one.port} connected to ${at}`,
    );
    assert.match(
      await said(/udp proxy/),
      /^\[info\] udp proxy 127\.0\.0\.1:\d+ connected to 127\.0\.0\.1:\d+$/,
    );
  });
});

describe('silence', () => {
  test('is an orderly end where no number of answers is expected', async () => {
    const before = accessLog();
    const one = await client('short');
    await one.ask('abc');
    assert.match(await logged(before), /^200\|3\|\d+\|/);
    assert.match(
      await said(/udp timed out/),
      /^\[info\] udp timed out, packets from\/to client:1\/1, bytes from\/to client:3\/\d+, bytes from\/to upstream:\d+\/3$/,
    );
  });

  test('is a failure where answers are missing', async () => {
    const before = accessLog();
    const one = await client('missing');
    assert.equal(await one.ask('1:x'), 'x');
    assert.match(await logged(before), /^502\|3\|1\|/);
    const peer = `127.0.0.1:${backend.port}`;
    assert.equal(
      await said(/upstream timed out/),
      `[error] upstream timed out (110: Connection timed out) while proxying connection, udp client: 127.0.0.1, server: 127.0.0.1:${proxy.port('missing')}, upstream: "${peer}", bytes from/to client:3/1, bytes from/to upstream:1/3`,
    );
  });
});

describe('peers', () => {
  test('that refuse are failed', async () => {
    const before = accessLog();
    const one = await client('dead');
    one.send('xy');
    assert.equal(await logged(before), `200|2|0|127.0.0.1:${dead}|2|0|UDP`);
    assert.equal(
      await said(/recv\(\) failed/),
      `[error] recv() failed (111: Connection refused) while proxying and reading from upstream, udp client: 127.0.0.1, server: 127.0.0.1:${proxy.port('dead')}, upstream: "127.0.0.1:${dead}", bytes from/to client:2/0, bytes from/to upstream:0/2`,
    );
  });

  test('that have failed are left out', async () => {
    const before = accessLog();
    (await client('two')).send('1:x');
    await logged(before);
    for (let i = 0; i < 3; i++) {
      const next = accessLog();
      assert.equal(await (await client('two')).ask('1:x'), 'x');
      assert.match(await logged(next), new RegExp(`127.0.0.1:${backend.port}`));
    }
  });

  test('that can not be reached are passed over', async () => {
    const before = accessLog();
    (await client('unreachable')).send('x');
    assert.equal(await logged(before), '502|1|0|255.255.255.255:9|0|0|UDP');
    assert.match(
      await said(/connect\(\) to/),
      /^\[crit\] connect\(\) to 255\.255\.255\.255:9 failed \(13: Permission denied\) while connecting to upstream, udp client: /,
    );
  });

  test('may be asked from an address', async () => {
    const one = await client('bound');
    await one.ask('x');
    assert.equal(asked?.from.address, '127.0.0.5');
  });

  test('are found by name; what comes meanwhile waits', async () => {
    const one = await client('named');
    one.send('1:a');
    one.send('1:b');
    assert.deepEqual([await one.next(), await one.next()], ['a', 'b']);
  });

  test('get a PROXY header before the first datagram', async () => {
    const one = await client('v1');
    assert.match(
      await one.ask('x'),
      new RegExp(`^\\d+ PROXY TCP4 127.0.0.1 127.0.0.1 ${one.port} ${proxy.port('v1')}\r\nx$`),
    );
    assert.match(await one.ask('y'), /^\d+ y$/);
    const two = await client('v2');
    const header = Buffer.from(await two.ask('x'), 'latin1');
    const at = header.indexOf('\r\n\r\n');
    assert.equal(header[at + 12], 0x21);
    assert.equal(header[at + 13], 0x12);
    assert.equal(header.readUInt16BE(at + 24), two.port);
    assert.equal(header.subarray(-1).toString(), 'x');
  });
});

describe('listen', () => {
  test('an address may have both protocols, and return answers with one datagram', async () => {
    const one = await client('text');
    assert.equal(await one.ask('abc'), `UDP 127.0.0.1 ${proxy.port('text')} 3`);
    const wire = await proxy.connect('text');
    assert.equal(await wire.readToEnd(), `TCP 127.0.0.1 ${proxy.port('text')} 0`);
  });

  test('a wildcard answers from the address that was asked, and knows it', async () => {
    for (const [address, text] of [
      ['127.0.0.1', 'all 127.0.0.1'],
      ['127.0.0.3', 'all 127.0.0.3'],
      ['127.0.0.2', 'one 127.0.0.2'],
    ] as const) {
      assert.equal(await (await client('all', address)).ask('x'), text);
    }
    assert.equal(await (await client('six', '::1')).ask('x'), '::1 ::1');
  });

  test('a server without content ends sessions', async () => {
    const before = accessLog();
    (await client('empty')).send('abc');
    assert.equal(await logged(before), '500|3|0|-|-|-|UDP');
  });

  for (const [word, name] of [
    ['fastopen=5', 'fastopen'],
    ['backlog=5', 'backlog'],
    ['deferred', 'deferred'],
    ['multipath', 'multipath'],
    ['ssl', 'ssl'],
    ['so_keepalive=off', 'so_keepalive'],
    ['proxy_protocol', 'proxy_protocol'],
    ['ssl backlog=5', 'backlog'],
  ] as const) {
    test(`${word} is not for datagrams`, () => {
      const conf = join(rig.dir, 'words.conf');
      writeFileSync(conf, `events { } stream { server { listen 127.0.0.1:9 udp ${word}; return x; } }`);
      const { stderr } = spawnSync(BINARY, ['-t', '-p', rig.dir, '-c', conf], { encoding: 'latin1' });
      const line = `"listen" directive "${name}" parameter is incompatible with "udp" in ${conf}:1`;
      assert.ok(stderr.includes(`nginx: [emerg] ${line}\n`), stderr);
    });
  }
});
