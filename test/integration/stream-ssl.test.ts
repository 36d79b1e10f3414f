/** `listen ... ssl` of stream: handshakes, who may go on, and bytes that are passed on in plain. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { helloOf } from '../kit/hello.ts';
import { type Backend, startScript } from '../kit/http-backend.ts';
import { BINARY, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { connectTls } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;
let backend: Backend;

const PAIR = 'ssl_certificate a.test.pem; ssl_certificate_key a.test.key;';

before(async () => {
  certificates.make('authority', { authority: true });
  for (const name of ['a.test', 'b.test', 'stranger']) certificates.make(name);
  certificates.make('friend', { by: 'authority' });
  // Says back what it hears, and leaves at `bye`; at the client's end it says `end`.
  backend = await startScript(rig, async (wire) => {
    for (;;) {
      await wire.waitFor(() => wire.pending !== '' || wire.ended, 'bytes');
      if (wire.pending === '') {
        wire.end('end');
        return;
      }
      const bytes = await wire.readSome();
      await wire.flush(bytes);
      if (bytes.toString('latin1') === 'bye') {
        wire.end();
        return;
      }
    }
  });
  const to = `proxy_pass 127.0.0.1:${backend.port};`;
  const verified = `ssl_client_certificate authority.pem; return '$ssl_client_verify $ssl_client_s_dn';`;
  const log = (name: string): string => `access_log %dir%/${name}.log status;`;
  proxy = await startProxy(
    rig,
    streamConf(`
      log_format status '$status $bytes_received $bytes_sent|$ssl_protocol|$ssl_server_name';
      ${PAIR}
      server { listen 127.0.0.1:%port:text% ssl; ${log('text')}
        return '$ssl_protocol $ssl_session_reused $ssl_server_name $server_name $ssl_client_verify'; }
      server { listen 127.0.0.1:%port:named% ssl; server_name a.test; return '$server_name $ssl_alpn_protocol'; }
      server { listen 127.0.0.1:%port:named%; server_name b.test; ssl_alpn two one;
        ssl_certificate b.test.pem; ssl_certificate_key b.test.key; return '$server_name $ssl_alpn_protocol'; }
      server { listen 127.0.0.1:%port:named%; server_name ~^(?<word>\\w+)\\.c\\.test$; return 'word $word'; }
      server { listen 127.0.0.1:%port:strict%  ssl; ssl_verify_client on; ${log('strict')} ${verified} }
      server { listen 127.0.0.1:%port:optional% ssl; ssl_verify_client optional; ${verified} }
      server { listen 127.0.0.1:%port:open% ssl; ssl_verify_client optional_no_ca; ${verified} }
      server { listen 127.0.0.1:%port:echo% ssl; ${log('echo')} ${to} }
      server { listen 127.0.0.1:%port:half% ssl; proxy_half_close on; ${to} }
      server { listen 127.0.0.1:%port:proxied% ssl proxy_protocol; return $proxy_protocol_addr; }
      server { listen 127.0.0.1:%port:hasty% ssl; ssl_handshake_timeout 200ms; ${log('hasty')} ${to} }
      server { listen 127.0.0.1:%port:failed% ssl; ${log('failed')} ${to} }
      server { listen 127.0.0.1:%port:inner% ssl; ssl_preread on; return $ssl_preread_server_name; }
      server { listen 127.0.0.1:%port:variable% ssl; return $ssl_server_name;
        ssl_certificate $ssl_server_name.pem; ssl_certificate_key $ssl_server_name.key; }
      server { listen 127.0.0.1:%port:reject% ssl; ssl_reject_handshake on; }`),
  );
});
after(() => rig.close());

const connect = (server: string, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> =>
  connectTls(proxy.port(server), options);

const ask = async (server: string, options: tls.ConnectionOptions = {}): Promise<string> => {
  const wire = new Wire(await connect(server, options));
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

/** The access log of a server, once it has a line. */
const logged = async (server: string): Promise<string> => {
  const path = join(proxy.dir, `${server}.log`);
  const read = (): string => (existsSync(path) ? readFileSync(path, 'latin1') : '');
  await until(() => read() !== '', 'a line of the access log');
  return read();
};

describe('listen ssl', () => {
  test('variables say what has been agreed on', async () => {
    assert.equal(await ask('text', { servername: 'x.test' }), 'TLSv1.3 . x.test  NONE');
    assert.equal(await logged('text'), '200 0 22|TLSv1.3|x.test\n');
  });

  test('TLS 1.2', async () => {
    assert.equal(
      await ask('text', { maxVersion: 'TLSv1.2', servername: 'a.test' }),
      'TLSv1.2 . a.test  NONE',
    );
  });

  test('the name chooses the server, its certificate and protocols', async () => {
    const options = { ALPNProtocols: ['one', 'two'] };
    assert.equal(await ask('named', { servername: 'A.test', ...options }), 'a.test ');
    const socket = await connect('named', { servername: 'b.test', ...options });
    assert.equal(socket.getPeerCertificate().subject.CN, 'b.test');
    assert.equal(socket.alpnProtocol, 'two');
    const wire = new Wire(socket);
    assert.equal(await wire.readToEnd(), 'b.test two');
    wire.close();
    assert.equal(await ask('named', { servername: 'w.c.test' }), 'word w');
    assert.equal(await ask('named', { servername: 'other' }), 'a.test ');
  });

  test('no protocol in common ends the handshake', async () => {
    await assert.rejects(ask('named', { servername: 'b.test', ALPNProtocols: ['three'] }));
  });

  test('certificates by variables', async () => {
    const socket = await connect('variable', { servername: 'b.test' });
    assert.equal(socket.getPeerCertificate().subject.CN, 'b.test');
    socket.destroy();
    await assert.rejects(connect('variable', { servername: 'nobody' }));
    await proxy.logged(
      /\[error\] \d+#\d+: \*\d+ cannot load certificate ".*\/nobody\.pem": BIO_new_file\(\) failed .* while SSL handshaking, client: 127\.0\.0\.1, server: 127\.0\.0\.1:\d+\n/,
    );
    await proxy.logged(
      /\[info\] .* SSL_do_handshake\(\) failed \(SSL: error:\w+:SSL routines::cert cb error\)/,
    );
  });

  test('who has no name that is served may be rejected', async () => {
    await assert.rejects(connect('reject', { servername: 'x' }));
    await proxy.logged(/\[info\] .* handshake rejected while SSL handshaking, client: 127/);
  });

  test('a PROXY header stands before the handshake', async () => {
    const plain = net.connect(proxy.port('proxied'), '127.0.0.1');
    plain.write('PROXY TCP4 192.0.2.1 192.0.2.2 123 5678\r\n');
    const socket = tls.connect({ socket: plain, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const wire = new Wire(socket);
    assert.equal(await wire.readToEnd(), '192.0.2.1');
    wire.close();
  });

  test('what is inside can be read ahead', async () => {
    const wire = new Wire(await connect('inner'));
    await wire.flush(await helloOf('inside.test'));
    assert.equal(await wire.readToEnd(), 'inside.test');
    wire.close();
  });
});

describe('a handshake that fails', () => {
  test('of who does not speak TLS', async () => {
    const wire = await proxy.connect('failed');
    wire.send('GET / HTTP/1.0\r\n\r\n');
    await wire.readToEnd();
    wire.close();
    await proxy.logged(
      /\[info\] \d+#\d+: \*\d+ SSL_do_handshake\(\) failed \(SSL: error:0A00009C:SSL routines::http request\) while SSL handshaking, client: 127\.0\.0\.1, server: 127/,
    );
    assert.equal(await logged('failed'), '500 0 0|TLSv1.3|-\n');
  });

  test('of who leaves', async () => {
    const wire = await proxy.connect('text');
    wire.end();
    await wire.readToEnd();
    wire.close();
    await proxy.logged(
      /\[info\] \d+#\d+: \*\d+ peer closed connection in SSL handshake while SSL handshaking/,
    );
  });

  test('of who is too slow', async () => {
    const wire = await proxy.connect('hasty');
    wire.send((await helloOf('x')).subarray(0, 20));
    assert.equal(await wire.readToEnd(), '');
    wire.close();
    assert.match(await logged('hasty'), /^500 /);
  });
});

describe('ssl_verify_client', () => {
  const of = (name: string): tls.ConnectionOptions => ({
    cert: certificates.read(`${name}.pem`),
    key: certificates.read(`${name}.key`),
  });
  const ends = async (server: string, options: tls.ConnectionOptions = {}): Promise<void> => {
    assert.equal(await ask(server, options).catch(() => ''), '');
  };

  test('a certificate that is trusted', async () => {
    for (const server of ['strict', 'optional', 'open'])
      assert.equal(await ask(server, of('friend')), 'SUCCESS CN=friend', server);
  });

  test('none', async () => {
    await ends('strict');
    await proxy.logged(
      /\[info\] \d+#\d+: \*\d+ client sent no required SSL certificate while SSL handshaking, client: 127/,
    );
    await until(
      () => readFileSync(join(proxy.dir, 'strict.log'), 'latin1').includes('500 0 0|'),
      'the status',
    );
    assert.equal(await ask('optional'), 'NONE ');
  });

  test('one that is not trusted', async () => {
    for (const server of ['strict', 'optional']) await ends(server, of('stranger'));
    await proxy.logged(
      /client SSL certificate verify error: \(18:self-signed certificate\) while SSL handshaking, client: 127/,
    );
    assert.equal(await ask('open', of('stranger')), 'FAILED:self-signed certificate CN=stranger');
  });
});

describe('bytes', () => {
  test('go both ways, decrypted', async () => {
    const wire = new Wire(await connect('echo'));
    wire.send('hello');
    await wire.expect('hello');
    const big = Buffer.alloc(1_000_000, 'x').toString();
    wire.send(big);
    assert.equal((await wire.readBytes(big.length)).toString('latin1'), big);
    wire.close();
    assert.match(await logged('echo'), /^200 1000005 1000005\|TLSv1.3\|/);
    await proxy.logged(/client disconnected, bytes from\/to client:1000005\/1000005, bytes from/);
  });

  test('half a connection', async () => {
    const socket = await connect('half', { allowHalfOpen: true } as tls.ConnectionOptions);
    const wire = new Wire(socket);
    wire.send('hello');
    await wire.expect('hello');
    socket.end();
    await wire.expect('end');
    wire.close();
  });

  test('a client that breaks the connection has just left it', async () => {
    const plain = net.connect(proxy.port('echo'), '127.0.0.1');
    const socket = tls.connect({ socket: plain, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    socket.write('broken');
    await once(socket, 'data');
    plain.resetAndDestroy();
    await proxy.logged(/client disconnected, bytes from\/to client:6\/6, bytes from\/to upstream:6\/6\n/);
    assert.ok(!proxy.log.includes('recv() failed'));
  });

  test('the end of the peer is told', async () => {
    const socket = await connect('echo');
    const ended = once(socket, 'end');
    socket.write('bye');
    await once(socket, 'data');
    await ended;
    socket.destroy();
  });
});

describe('-t', () => {
  const testOf = (server: string, listen = 'listen 127.0.0.1:1 ssl;'): string => {
    const path = join(rig.dir, 'test.conf');
    writeFileSync(
      path,
      `pid ${rig.dir}/test.pid; events { } stream { server { ${listen} ${server} return x; } }`,
    );
    const { stderr } = spawnSync(BINARY, ['-t', '-p', rig.dir, '-c', path, '-e', 'test.log'], {
      encoding: 'latin1',
      env: { ...process.env, NODE_TEST_CONTEXT: '' },
    });
    return stderr.replaceAll(rig.dir, 'DIR');
  };

  for (const [what, server, said] of [
    [
      'no certificate',
      '',
      'no "ssl_certificate" is defined for the "listen ... ssl" directive in DIR/test.conf:1',
    ],
    [
      'no key',
      'ssl_certificate a.test.pem;',
      'no "ssl_certificate_key" is defined for certificate "a.test.pem"',
    ],
    [
      'nobody to trust',
      `${PAIR} ssl_verify_client on;`,
      'no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client',
    ],
    [
      'a protocol that is too long',
      `ssl_alpn ${'x'.repeat(256)};`,
      '"ssl_alpn" directive protocol too long in',
    ],
    ['no early data', `${PAIR} ssl_early_data on;`, '"ssl_early_data" directive is not allowed here in'],
    [
      'a small cache',
      `${PAIR} ssl_session_cache shared:x:1k;`,
      'session cache "shared:x:1k" is too small in',
    ],
  ] as const)
    test(what, () => {
      assert.ok(testOf(server).includes(`[emerg] ${said}`), testOf(server));
    });

  test('all of it', () => {
    const said =
      testOf(`${PAIR} ssl_alpn a b; ssl_handshake_timeout 3s; ssl_session_cache shared:x:1m builtin;
      ssl_session_timeout 1m; ssl_session_tickets off; ssl_verify_client optional; ssl_verify_depth 2;
      ssl_client_certificate authority.pem; ssl_trusted_certificate authority.pem; ssl_prefer_server_ciphers on;
      ssl_protocols TLSv1.2; ssl_ciphers HIGH; ssl_ecdh_curve prime256v1; ssl_conf_command Options PrioritizeChaCha;
      ssl_certificate_cache max=3; ssl_ocsp off; ssl_ocsp_cache off; ssl_stapling off; ssl_reject_handshake off;`);
    assert.ok(said.includes('test is successful'), said);
  });
});
