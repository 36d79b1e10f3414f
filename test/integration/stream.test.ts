/** `stream`: sessions over real sockets, what they are told, and what is logged of them. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Backend, startScript } from '../kit/http-backend.ts';
import { freePorts } from '../kit/ports.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
/** Nobody listens there. */
let dead = 0;

/** Says back what it hears; `bye` ends the connection, `reset` breaks it, at the client's end it says `end`. */
const echo = async (wire: Wire): Promise<void> => {
  for (;;) {
    await wire.waitFor(() => wire.pending !== '' || wire.ended, 'bytes');
    if (wire.pending === '') {
      wire.end('end');
      return;
    }
    const bytes = await wire.readSome();
    const text = bytes.subarray(0, 5).toString('latin1');
    if (text.startsWith('bye')) {
      wire.end('bye');
      return;
    }
    if (text.startsWith('reset')) {
      wire.reset();
      return;
    }
    await wire.flush(bytes);
  }
};

before(async () => {
  backend = await startScript(rig, echo);
  [dead = 0] = await freePorts(1);
  const server = (name: string, rest: string): string =>
    `server { listen 127.0.0.1:%port:${name}%; ${rest} }`;
  const to = `proxy_pass 127.0.0.1:${backend.port};`;
  proxy = await startProxy(
    rig,
    streamConf(
      `
      log_format t '$remote_port|$status|$bytes_received|$bytes_sent|$upstream_addr|$upstream_bytes_sent|$upstream_bytes_received|$protocol|$server_name';
      log_format times '$remote_port|$session_time $upstream_connect_time $upstream_first_byte_time $upstream_session_time';
      access_log %dir%/access.log t;
      proxy_connect_timeout 2s;
      upstream two { server 127.0.0.1:${dead} max_fails=0; server 127.0.0.1:${backend.port}; }
      upstream none { server 127.0.0.1:${dead} down; }
      upstream addressed { server 127.0.0.1:${backend.port}; }
      ${server('echo', to)}
      ${server('text', "server_name a.test; return '$remote_addr $server_port $status';")}
      ${server('two', 'proxy_pass two;')}
      ${server('once', 'proxy_pass two; proxy_next_upstream off;')}
      ${server('none', 'proxy_pass none;')}
      ${server('dead', `proxy_pass 127.0.0.1:${dead};`)}
      ${server('half', `${to} proxy_half_close on;`)}
      ${server('idle', `${to} proxy_timeout 300ms;`)}
      ${server('slow', `${to} proxy_upload_rate 1000; proxy_download_rate 4k;`)}
      ${server('v1', `${to} proxy_protocol on;`)}
      ${server('v2', `${to} proxy_protocol v2;`)}
      ${server('empty', '')}
      ${server('times', `${to} access_log %dir%/times.log times;`)}
      ${server('off', "access_log off; return '';")}
      ${server('named', 'access_log %dir%/$server_port.log t if=$bytes_sent; return x;')}
      ${server('variable', 'proxy_pass $hostname.$server_port.invalid:80;')}
      ${server('portless', 'proxy_pass $remote_addr;')}
      ${server('group', 'proxy_pass $server_name; server_name addressed;')}
      server { listen 127.0.0.1:%port:proxied% proxy_protocol; proxy_protocol_timeout 300ms;
        return '$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr $remote_addr'; }
      server { listen 127.0.0.1:%port:after% proxy_protocol; ${to} }`,
    ),
  );
});
after(() => rig.close());

const accessLog = (name = 'access.log'): string => {
  const path = join(proxy.dir, name);
  return existsSync(path) ? readFileSync(path, 'latin1') : '';
};

/** Waits for the line of the access log about that client's session. */
const logged = async (wire: Wire, name?: string): Promise<string> => {
  const start = `${wire.localPort}|`;
  const find = (): string | undefined =>
    accessLog(name)
      .split('\n')
      .findLast((line) => line.startsWith(start));
  await until(() => find() !== undefined, 'a line of the access log');
  return find()?.slice(start.length) ?? '';
};

describe('return', () => {
  test('the text is sent and the connection closed', async () => {
    const wire = await proxy.connect('text');
    assert.equal(await wire.readToEnd(), `127.0.0.1 ${proxy.port('text')} 000`);
    wire.close();
    assert.match(await logged(wire), /^200\|0\|\d+\|-\|-\|-\|TCP\|a\.test$/);
  });

  test('a server without content ends sessions', async () => {
    const wire = await proxy.connect('empty');
    assert.equal(await wire.readToEnd(), '');
    wire.close();
    assert.equal(await logged(wire), '500|0|0|-|-|-|TCP|');
  });

  test('an access log may have a name made of variables, and a condition', async () => {
    const wire = await proxy.connect('named');
    assert.equal(await wire.readToEnd(), 'x');
    wire.close();
    assert.equal(await logged(wire, `${proxy.port('named')}.log`), '200|0|1|-|-|-|TCP|');
  });
});

describe('proxy_pass', () => {
  test('bytes go both ways, and the client closes', async () => {
    const wire = await proxy.connect('echo');
    wire.send('hello');
    await wire.expect('hello');
    wire.send('again');
    await wire.expect('again');
    wire.close();
    const peer = `127.0.0.1:${backend.port}`;
    assert.equal(await logged(wire), `200|10|10|${peer}|10|10|TCP|`);
    await proxy.logged(
      /\*\d+ client disconnected, bytes from\/to client:10\/10, bytes from\/to upstream:10\/10\n/,
    );
    await proxy.logged(/\[info\] \d+#\d+: \*\d+ client 127\.0\.0\.1:\d+ connected to 127\.0\.0\.1:\d+\n/);
    await proxy.logged(new RegExp(`\\*\\d+ proxy 127\\.0\\.0\\.1:\\d+ connected to ${peer}\\n`));
  });

  test('the peer closes', async () => {
    const wire = await proxy.connect('echo');
    wire.send('bye');
    assert.equal(await wire.readToEnd(), 'bye');
    wire.close();
    await proxy.logged(/upstream disconnected, bytes from\/to client:3\/3, bytes from\/to upstream:3\/3\n/);
  });

  test('the peer resets', async () => {
    const wire = await proxy.connect('echo');
    wire.send('reset');
    assert.equal(await wire.readToEnd(), '');
    wire.close();
    await proxy.logged(
      /\[error\] .*recv\(\) failed \(104: Connection reset by peer\) while proxying and reading from upstream, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+, upstream: "127\.0\.0\.1:\d+", bytes from\/to client:5\/0, bytes from\/to upstream:0\/5\n/,
    );
  });

  test('the client resets', async () => {
    const wire = await proxy.connect('echo');
    wire.send('hello');
    await wire.expect('hello');
    wire.reset();
    await proxy.logged(
      /\[info\] .*recv\(\) failed \(104: Connection reset by peer\) while proxying and reading from client, /,
    );
  });

  test('the client ends its side: the session ends, and with proxy_half_close the peer still answers', async () => {
    const wire = await proxy.connect('echo');
    wire.end('hello');
    const text = await wire.readToEnd();
    assert.ok(text === '' || text === 'hello', text);
    const half = await proxy.connect('half');
    half.end('hello');
    assert.equal(await half.readToEnd(), 'helloend');
  });

  /** The lines about two sessions with a server whose peers take turns. */
  const twoSessions = async (name: string): Promise<readonly string[]> => {
    const lines: string[] = [];
    for (let i = 0; i < 2; i++) {
      const wire = await proxy.connect(name);
      wire.send('bye');
      await wire.readToEnd();
      wire.close();
      lines.push(await logged(wire));
    }
    return lines;
  };

  test('the next peer is tried', async () => {
    const peer = `127.0.0.1:${backend.port}`;
    const lines = await twoSessions('two');
    assert.ok(lines.includes(`200|3|3|127.0.0.1:${dead}, ${peer}|0, 3|0, 3|TCP|`), lines.join('\n'));
    await proxy.logged(
      new RegExp(
        `connect\\(\\) failed \\(111: Connection refused\\) while connecting to upstream, client: 127\\.0\\.0\\.1, server: 127\\.0\\.0\\.1:\\d+, upstream: "127\\.0\\.0\\.1:${dead}", bytes from/to client:\\d/0, bytes from/to upstream:0/0`,
      ),
    );
  });

  test('no other peer is tried when it may not be', async () => {
    const refused = new RegExp(`^502\\|\\d\\|0\\|127.0.0.1:${dead}\\|0\\|0\\|`);
    const lines = await twoSessions('once');
    assert.ok(
      lines.some((line) => refused.test(line)),
      lines.join('\n'),
    );
  });

  test('no peer is alive', async () => {
    const wire = await proxy.connect('none');
    assert.equal(await wire.readToEnd(), '');
    wire.close();
    assert.equal(await logged(wire), '502|0|0|none|0|0|TCP|');
    await proxy.logged(
      /no live upstreams while connecting to upstream, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+, upstream: "none", bytes from\/to client:0\/0, bytes from\/to upstream:0\/0\n/,
    );
  });

  test('silence ends a session', async () => {
    const wire = await proxy.connect('idle');
    wire.send('hello');
    assert.equal(await wire.readToEnd(), 'hello');
    wire.close();
    await proxy.logged(
      /\[info\] .* connection timed out \(110: Connection timed out\) while proxying connection, client: /,
    );
  });

  test('a large transfer comes back whole, past a client that pauses', async () => {
    const wire = await proxy.connect('echo');
    const bytes = Buffer.alloc(4 << 20);
    for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 7 + (i >> 12)) & 0xff;
    wire.pause();
    const sent = wire.flush(bytes);
    wire.resume();
    const back = await wire.readBytes(bytes.length);
    await sent;
    assert.ok(back.equals(bytes));
    wire.close();
  });

  test('rates are kept', async () => {
    const wire = await proxy.connect('slow');
    const begun = Date.now();
    wire.send('x'.repeat(2500));
    await wire.readBytes(2500);
    assert.ok(Date.now() - begun >= 1000, `it took ${Date.now() - begun} ms`);
    wire.close();
  });

  test('times are known', async () => {
    const wire = await proxy.connect('times');
    wire.send('bye');
    await wire.readToEnd();
    wire.close();
    assert.match(await logged(wire, 'times.log'), /^0\.\d{3} 0\.\d{3} 0\.\d{3} 0\.\d{3}$/);
  });

  test('addresses that variables make', async () => {
    const wire = await proxy.connect('group');
    wire.send('bye');
    assert.equal(await wire.readToEnd(), 'bye');
    wire.close();
    assert.match(await logged(wire), /^200\|3\|3\|/);
    for (const [name, message] of [
      ['variable', /no resolver defined to resolve \S+\.invalid, client: 127\.0\.0\.1, server: /],
      ['portless', /no port in upstream "127\.0\.0\.1", client: 127\.0\.0\.1, server: /],
    ] as const) {
      const other = await proxy.connect(name);
      assert.equal(await other.readToEnd(), '');
      other.close();
      await proxy.logged(message);
    }
  });
});

describe('the PROXY protocol', () => {
  test('is read, and what comes behind it is passed on', async () => {
    const wire = await proxy.connect('proxied');
    wire.send('PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n');
    assert.equal(await wire.readToEnd(), '192.0.2.1:1234 192.0.2.2 127.0.0.1');
    wire.close();
    const other = await proxy.connect('after');
    other.send('PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\nbye');
    assert.equal(await other.readToEnd(), 'bye');
    other.close();
    assert.match(await logged(other), /^200\|3\|3\|/);
  });

  test('must be there, and in time', async () => {
    const wire = await proxy.connect('proxied');
    wire.send('GET / HTTP/1.0\r\n');
    assert.equal(await wire.readToEnd(), '');
    wire.close();
    assert.match(await logged(wire), /^400\|/);
    await proxy.logged(/broken header: "GET \/ HTTP\/1\.0.*" while reading PROXY protocol, client: /);
    const silent = await proxy.connect('proxied');
    assert.equal(await silent.readToEnd(), '');
    silent.close();
    await proxy.logged(/client timed out \(110: Connection timed out\) while reading PROXY protocol/);
  });

  test('is sent in version 1', async () => {
    const wire = await proxy.connect('v1');
    wire.send('bye');
    const { localPort = 0 } = wire.socket;
    const header = `PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${proxy.port('v1')}\r\n`;
    await wire.expect(header);
    wire.close();
  });

  test('is sent in version 2, with a checksum', async () => {
    const wire = await proxy.connect('v2');
    wire.send('hello');
    const header = await wire.readBytes(16 + 12 + 7);
    assert.equal(header.toString('hex', 0, 16), '0d0a0d0a000d0a515549540a21110013');
    assert.equal(header.toString('hex', 16, 24), '7f0000017f000001');
    assert.equal(header.readUInt16BE(26), proxy.port('v2'));
    assert.equal(header.toString('hex', 28, 31), '030004');
    assert.notEqual(header.readUInt32BE(31), 0);
    wire.close();
  });
});

test('a worker that is to end lets its sessions finish', async () => {
  const own = new Rig();
  try {
    const other = await startProxy(
      own,
      streamConf(`server { listen 127.0.0.1:%port%; proxy_pass 127.0.0.1:${backend.port}; }`),
    );
    const wire = await other.connect();
    wire.send('hello');
    await wire.expect('hello');
    other.signal('SIGQUIT');
    await other.logged(/gracefully shutting down|signal 3/);
    wire.send('again');
    await wire.expect('again');
    wire.close();
  } finally {
    await own.close();
  }
});
