/** `pass` of `stream`: connections go to whoever listens at an address, of `http` too. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { connectTls } from '../kit/tls-client.ts';
import { Udp } from '../kit/udp.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;

const TEXT = "return '$server_addr:$server_port $remote_addr $proxy_protocol_addr $realip_remote_addr.';";

before(async () => {
  new Certificates(rig.dir).make('a.test');
  const { conf = '' } = streamConf(`
    log_format s '$server_port $status';
    access_log %dir%/access.log s;
    limit_conn_zone $server_name zone=names:1m;
    server { listen 127.0.0.1:%port:text%; ${TEXT} }
    server { listen %port:wild%; ${TEXT} }
    server { listen unix:%dir%/own.sock; ${TEXT} }
    server { listen 127.0.0.1:%port:totext%; pass 127.0.0.1:%port:text%; }
    server { listen 127.0.0.1:%port:towild%; pass 127.0.0.3:%port:wild%; }
    server { listen 127.0.0.1:%port:tounix%; pass unix:%dir%/own.sock; }
    server { listen 127.0.0.1:%port:tohttp%; limit_conn names 1; server_name limited; pass 127.0.0.1:%port:http%; }
    server {
      listen 127.0.0.1:%port:proxied% proxy_protocol;
      set_real_ip_from 127.0.0.1;
      set $where 127.0.0.1;
      pass $where:%port:http%;
    }
    server {
      listen 127.0.0.1:%port:proxiedtext% proxy_protocol;
      set_real_ip_from 127.0.0.1;
      pass 127.0.0.1:%port:text%;
    }
    server { listen 127.0.0.1:%port:nowhere%; pass 127.0.0.1:1; }
    server { listen 127.0.0.1:%port:portless%; pass $remote_addr; }
    server { listen 127.0.0.1:%port:host%; pass $hostname.invalid:80; }
    server { listen 127.0.0.1:%port:bad%; pass $remote_addr:0; }
    server { listen 127.0.0.1:%port:udp% udp; pass 127.0.0.1:%port:text%; }
    server { listen 127.0.0.1:%port:preread%; ssl_preread on; pass 127.0.0.1:%port:http%; }
    ssl_certificate %dir%/a.test.pem;
    ssl_certificate_key %dir%/a.test.key;
    server { listen 127.0.0.1:%port:secretpreread% ssl; ssl_preread on; pass 127.0.0.1:%port:http%; }
    server { listen 127.0.0.1:%port:secret% ssl; pass 127.0.0.1:%port:http%; }
    server { listen 127.0.0.1:%port:secrettext% ssl; pass 127.0.0.1:%port:protocol%; }
    server { listen 127.0.0.1:%port:protocol%; return '$ssl_protocol $server_port'; }
    server { listen 127.0.0.1:%port:loop%; pass 127.0.0.1:%port:loop%; }`);
  proxy = await startProxy(rig, {
    conf: `${conf}
http {
  access_log off;
  server {
    listen 127.0.0.1:%port:http%;
    location /tls { return 200 '$scheme $https $ssl_protocol'; }
    location / { return 200 '$server_addr:$server_port $remote_addr $proxy_protocol_addr.'; }
  }
}
`,
  });
});
after(() => rig.close());

const said = async (name: string, header = ''): Promise<string> => {
  const wire = await proxy.connect(name);
  if (header !== '') wire.send(header);
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

const HEADER = 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n';

const accessLog = (): string => readFileSync(join(proxy.dir, 'access.log'), 'latin1');

test('to another server of stream, which is logged, and the one before is not', async () => {
  const port = proxy.port('text');
  assert.equal(await said('totext'), `127.0.0.1:${port} 127.0.0.1  127.0.0.1.`);
  await until(() => accessLog().includes(`${port} 200\n`), 'the line of the session');
  assert.doesNotMatch(accessLog(), new RegExp(`^${proxy.port('totext')} `, 'm'));
  await proxy.logged(
    new RegExp(`\\[info\\] \\S+ \\*\\d+ client 127\\.0\\.0\\.1:\\d+ connected to 127\\.0\\.0\\.1:${port}\\n`),
  );
});

test('to a wildcard address, to a unix socket', async () => {
  assert.equal(await said('towild'), `127.0.0.3:${proxy.port('wild')} 127.0.0.1  127.0.0.1.`);
  assert.equal(await said('tounix'), `unix:${proxy.dir}/own.sock: 127.0.0.1  127.0.0.1.`);
});

test('what a PROXY header has said stays', async () => {
  assert.equal(
    await said('proxiedtext', HEADER),
    `127.0.0.1:${proxy.port('text')} 192.0.2.1 192.0.2.1 192.0.2.1.`,
  );
});

test('to a server of http, which keeps the connection; limits hold until it is gone', async () => {
  const wire = await proxy.connect('tohttp');
  const port = proxy.port('http');
  for (let i = 0; i < 2; i++) {
    wire.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const { body } = await wire.readMessage();
    assert.equal(body.toString(), `127.0.0.1:${port} 127.0.0.1 .`);
  }
  assert.equal(await said('tohttp'), '');
  await proxy.logged(/limiting connections by zone "names" while initializing session/);
  wire.send('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await wire.readToEnd();
  wire.close();
  await until(async () => {
    const next = await proxy.connect('tohttp');
    next.send('GET / HTTP/1.0\r\n\r\n');
    const text = await next.readToEnd();
    next.close();
    return text.startsWith('HTTP/1.1 200 ');
  }, 'room for another connection');
});

test('bytes that came with a PROXY header are not lost', async () => {
  const text = await said('proxied', `${HEADER}GET / HTTP/1.0\r\n\r\n`);
  assert.ok(text.startsWith('HTTP/1.1 200 OK\r\n'), text);
  assert.ok(text.endsWith(`\r\n127.0.0.1:${proxy.port('http')} 192.0.2.1 192.0.2.1.`), text);
});

test('nobody listens there, and what is no address', async () => {
  const line = (what: string): RegExp =>
    new RegExp(
      `\\[error\\] .*\\*\\d+ ${what} while passing connection to port, client: 127\\.0\\.0\\.1, server: `,
    );
  assert.equal(await said('nowhere'), '');
  await proxy.logged(line('port not found for "127\\.0\\.0\\.1:1"'));
  await until(() => accessLog().includes(`${proxy.port('nowhere')} 200\n`), 'the line of the session');
  assert.equal(await said('portless'), '');
  await proxy.logged(line('no port in pass "127\\.0\\.0\\.1"'));
  await until(() => accessLog().includes(`${proxy.port('portless')} 500\n`), 'the line of the session');
  assert.equal(await said('host'), '');
  await proxy.logged(line('no addresses in pass "[^"]+\\.invalid:80"'));
  assert.equal(await said('bad'), '');
  await proxy.logged(line('invalid port in pass "127\\.0\\.0\\.1:0"'));
});

test('TLS stays, for servers of http and of stream', async () => {
  const wire = new Wire(await connectTls(proxy.port('secret')));
  wire.send('GET /tls HTTP/1.1\r\nHost: a\r\n\r\n');
  assert.equal((await wire.readMessage()).body.toString(), 'https on TLSv1.3');
  wire.send('GET /tls HTTP/1.0\r\n\r\n');
  assert.match(await wire.readToEnd(), /https on TLSv1\.3$/);
  wire.close();
  const other = new Wire(await connectTls(proxy.port('secrettext')));
  assert.equal(await other.readToEnd(), `TLSv1.3 ${proxy.port('protocol')}`);
  other.close();
});

test('datagrams are not passed on', async () => {
  const client = await Udp.client(rig, proxy.port('udp'));
  client.send('hello');
  await proxy.logged(
    /\[error\] .*cannot pass udp connection while passing connection to port, udp client: 127\.0\.0\.1, server: /,
  );
});

test('bytes that the preread phase has seen go along; of TLS they cannot', async () => {
  assert.match(await said('preread', 'GET /tls HTTP/1.0\r\n\r\n'), /http {2}$/);
  const wire = new Wire(await connectTls(proxy.port('secretpreread')));
  wire.send('GET /tls HTTP/1.0\r\n\r\n');
  assert.equal(await wire.readToEnd(), '');
  wire.close();
  await proxy.logged(
    /\[error\] .*cannot pass connection with preread data while passing connection to port, client: 127\.0\.0\.1, server: /,
  );
});

test('a circle ends', async () => {
  assert.equal(await said('loop'), '');
  await proxy.logged(/\[error\] .*stream pass cycle while passing connection to port, client: /);
  await until(() => accessLog().includes(`${proxy.port('loop')} 500\n`), 'the line of the session');
  const connected = proxy.log.match(new RegExp(`connected to 127\\.0\\.0\\.1:${proxy.port('loop')}\\n`, 'g'));
  assert.equal(connected?.length, 11);
});
