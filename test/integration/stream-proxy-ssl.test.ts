/** `proxy_ssl` of stream: handshakes with peers, whom they are with, and what is said when they fail. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type net from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { startScript } from '../kit/http-backend.ts';
import { freePorts } from '../kit/ports.ts';
import { BINARY, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;

/** A TLS server that says whom it is asked for, by whom, and then back what it hears. */
const startPeer = async (name: string): Promise<number> => {
  const server = tls.createServer({
    cert: certificates.read(`${name}.pem`),
    key: certificates.read(`${name}.key`),
    requestCert: true,
    rejectUnauthorized: false,
    ALPNProtocols: ['one', 'two'],
  });
  const sockets = new Set<net.Socket>();
  server.on('secureConnection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    const { subject } = socket.getPeerCertificate();
    const alpn = socket.alpnProtocol || 'none';
    const servername = (socket as { servername?: string | false }).servername || 'none';
    socket.write(`${servername} ${subject?.CN ?? 'nobody'} ${alpn} ${socket.isSessionReused()};`);
    socket.on('data', (bytes: Buffer) => {
      if (bytes.toString('latin1') === 'bye') socket.end('bye');
      else socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  rig.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

before(async () => {
  certificates.make('authority', { authority: true });
  for (const name of ['a.test', 'b.test']) certificates.make(name, { by: 'authority' });
  const peer = await startPeer('a.test');
  // It speaks no TLS; it closes at the first bytes.
  const closes = await startScript(rig, async (wire) => {
    await wire.readSome();
    wire.end();
  });
  const speaks = await startScript(rig, async (wire) => {
    await wire.readSome();
    wire.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const silent = await startScript(rig, async (wire) => {
    await wire.waitFor(() => wire.ended, 'the end');
  });
  const [dead = 0] = await freePorts(1);
  const verified = 'proxy_ssl_verify on; proxy_ssl_trusted_certificate authority.pem;';
  const server = (name: string, rest: string, to = `127.0.0.1:${peer}`): string =>
    `server { listen 127.0.0.1:%port:${name}%; proxy_pass ${to}; ${rest} access_log %dir%/${name}.log status; }`;
  proxy = await startProxy(
    rig,
    streamConf(`
      log_format status '$status $upstream_addr $upstream_bytes_sent $upstream_bytes_received';
      proxy_ssl on; proxy_ssl_session_reuse off;
      upstream a.test { server 127.0.0.1:${dead} max_fails=0; server 127.0.0.1:${closes.port} max_fails=0;
        server 127.0.0.1:${peer} max_fails=0; }
      ${server('plain', '')}
      ${server('reused', 'proxy_ssl_session_reuse on;')}
      ${server('named', 'proxy_ssl_server_name on; proxy_ssl_name x.test:80;')}
      ${server('addressed', 'proxy_ssl_server_name on;')}
      ${server('group', `proxy_ssl_server_name on; ${verified}`, 'a.test')}
      ${server('trusted', `${verified} proxy_ssl_name a.test;`)}
      ${server('other', `${verified} proxy_ssl_name b.test;`)}
      ${server('stranger', 'proxy_ssl_verify on; proxy_ssl_trusted_certificate b.test.pem; proxy_ssl_name a.test;')}
      ${server('friend', 'proxy_ssl_certificate b.test.pem; proxy_ssl_certificate_key b.test.key;')}
      ${server('variable', 'proxy_ssl_certificate $server_name.pem; proxy_ssl_certificate_key $server_name.key; server_name b.test;')}
      ${server('missing', 'proxy_ssl_certificate $server_name.pem; proxy_ssl_certificate_key b.test.key; server_name nobody;')}
      ${server('alpn', 'proxy_ssl_alpn three $server_name; server_name two;')}
      ${server('closes', '', `127.0.0.1:${closes.port}`)}
      ${server('speaks', '', `127.0.0.1:${speaks.port}`)}
      ${server('silent', 'proxy_connect_timeout 200ms;', `127.0.0.1:${silent.port}`)}
      ${server('off', 'proxy_ssl off;', `127.0.0.1:${speaks.port}`)}
      ${server('headed', 'proxy_protocol on;', '127.0.0.1:%port:proxied%')}
      server { listen 127.0.0.1:%port:proxied% ssl proxy_protocol; proxy_ssl off;
        ssl_certificate a.test.pem; ssl_certificate_key a.test.key; return '$proxy_protocol_addr;'; }`),
  );
});
after(() => rig.close());

/** What a peer says first. */
const hear = async (server: string): Promise<string> => {
  const wire = await proxy.connect(server);
  const text = await wire.readUntil(';');
  wire.close();
  return text;
};

/** A session that comes to nothing: its line in the access log. */
const fails = async (server: string): Promise<string> => {
  const wire = await proxy.connect(server);
  assert.equal(await wire.readToEnd(), '');
  wire.close();
  const read = (): string => readFileSync(join(proxy.dir, `${server}.log`), 'latin1');
  await until(() => read() !== '', 'a line of the access log');
  return read();
};

describe('proxy_ssl', () => {
  test('bytes go both ways, and the peer closes', async () => {
    const wire = await proxy.connect('plain');
    await wire.expect('none nobody none false;');
    const big = Buffer.alloc(1_000_000, 'x').toString();
    wire.send(big);
    assert.equal((await wire.readBytes(big.length)).toString('latin1'), big);
    wire.send('bye');
    assert.equal(await wire.readToEnd(), 'bye');
    wire.close();
    await proxy.logged(/\[info\] \d+#\d+: \*\d+ proxy 127\.0\.0\.1:\d+ connected to 127\.0\.0\.1:\d+\n/);
    await proxy.logged(
      /upstream disconnected, bytes from\/to client:1000003\/1000026, bytes from\/to upstream:1000026\/1000003\n/,
    );
  });

  test('what the client says before the handshake is done waits', async () => {
    const wire = await proxy.connect('plain');
    wire.send('early');
    await wire.expect('none nobody none false;early');
    wire.close();
  });

  test('sessions are resumed', async () => {
    assert.equal(await hear('reused'), 'none nobody none false;');
    assert.equal(await hear('reused'), 'none nobody none true;');
  });

  test('the name that is sent', async () => {
    assert.match(await hear('named'), /^x\.test /);
    assert.match(await hear('addressed'), /^none /);
    assert.match(await hear('group'), /^a\.test /);
  });

  test('certificates of ours', async () => {
    assert.equal(await hear('friend'), 'none b.test none false;');
    assert.equal(await hear('variable'), 'none b.test none false;');
    assert.match(await fails('missing'), /^500 127/);
    await proxy.logged(
      /\[error\] .* cannot load certificate ".*\/nobody\.pem": BIO_new_file\(\) failed .* while connecting to upstream, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+, upstream: "127\.0\.0\.1:\d+", bytes/,
    );
  });

  test('protocols that are offered', async () => {
    assert.equal(await hear('alpn'), 'none nobody two false;');
  });

  test('a PROXY header stands before the handshake', async () => {
    assert.equal(await hear('headed'), '127.0.0.1;');
  });

  test('a server may have it off', async () => {
    const wire = await proxy.connect('off');
    wire.send('x');
    assert.match(await wire.readToEnd(), /^HTTP/);
    wire.close();
  });
});

describe('the peer', () => {
  test('is whom the configuration wants', async () => {
    assert.match(await hear('trusted'), /^none /);
  });

  test('is somebody else', async () => {
    assert.match(await fails('other'), /^502 127\.0\.0\.1:\d+ 0 0\n$/);
    await proxy.logged(
      /\[error\] \d+#\d+: \*\d+ upstream SSL certificate does not match "b\.test" while SSL handshaking to upstream, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+, upstream: "127/,
    );
  });

  test('is not trusted', async () => {
    assert.match(await fails('stranger'), /^502 /);
    await proxy.logged(
      /\[error\] .* upstream SSL certificate verify error: \(21:unable to verify the first certificate\) while SSL handshaking to upstream, client/,
    );
  });

  test('closes the connection in the handshake', async () => {
    assert.match(await fails('closes'), /^502 /);
    await proxy.logged(
      /\[error\] .* peer closed connection in SSL handshake while SSL handshaking to upstream, client: 127/,
    );
  });

  test('speaks no TLS', async () => {
    assert.match(await fails('speaks'), /^502 /);
    await proxy.logged(
      /\[error\] .* SSL_do_handshake\(\) failed \(SSL: error:\w+:SSL routines::\w[\w ]*\) while SSL handshaking to upstream, client/,
    );
  });

  test('says nothing', async () => {
    assert.match(await fails('silent'), /^502 /);
  });
});

describe('-t', () => {
  const testOf = (server: string): string => {
    const path = join(rig.dir, 'test.conf');
    writeFileSync(
      path,
      `pid ${rig.dir}/test.pid; events { } stream { server { listen 127.0.0.1:1; proxy_pass 127.0.0.1:2; ${server} } }`,
    );
    const { stderr } = spawnSync(BINARY, ['-t', '-p', rig.dir, '-c', path, '-e', 'test.log'], {
      encoding: 'latin1',
      env: { ...process.env, NODE_TEST_CONTEXT: '' },
    });
    return stderr.replaceAll(rig.dir, 'DIR');
  };

  for (const [what, server, said] of [
    [
      'nobody to trust',
      'proxy_ssl on; proxy_ssl_verify on;',
      'no proxy_ssl_trusted_certificate for proxy_ssl_verify',
    ],
    [
      'no key',
      'proxy_ssl on; proxy_ssl_certificate a.test.pem;',
      'no "proxy_ssl_certificate_key" is defined for certificate "a.test.pem"',
    ],
    [
      'a protocol that is too long',
      `proxy_ssl_alpn ${'x'.repeat(256)};`,
      '"proxy_ssl_alpn" directive protocol too long in',
    ],
    [
      'a cache without a size',
      'proxy_ssl_certificate_cache valid=1s;',
      '"proxy_ssl_certificate_cache" must have the "max" parameter in',
    ],
  ] as const)
    test(what, () => {
      assert.ok(testOf(server).includes(`[emerg] ${said}`), testOf(server));
    });

  test('without proxy_ssl nothing is looked at', () => {
    const said = testOf('proxy_ssl_verify on; proxy_ssl_certificate nowhere.pem;');
    assert.ok(said.includes('test is successful'), said);
  });
});
