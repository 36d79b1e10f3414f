/** TLS to peers that fails: what the client gets, what the log says, when another peer is tried; what `-t` says. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { reply, type Script, startBackend, startScript } from '../kit/http-backend.ts';
import { BINARY, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;
let silent: Awaited<ReturnType<typeof startBackend>>;

/** A backend that sees the raw socket below TLS. */
const overTls =
  (options: TlsOptions, use: (secure: TLSSocket, raw: Socket) => void): Script =>
  (wire) => {
    const { socket } = wire;
    socket.removeAllListeners('data');
    const secure = new TLSSocket(socket, { isServer: true, ...options });
    secure.on('error', () => {});
    secure.once('data', () => use(secure, socket));
    return Promise.resolve();
  };

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n';
/** A record of application data that was encrypted with no key of ours. */
const TORN = Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32)]);

before(async () => {
  certificates.make('ca', { authority: true });
  certificates.make('other', { authority: true });
  certificates.make('back.test', { by: 'ca' });
  certificates.make('gone.test', { by: 'ca' });
  certificates.make('locked', { by: 'ca', password: 'secret' });
  certificates.register('ca', ['back.test'], ['gone.test']);
  certificates.revocationList('ca');
  const own = { key: certificates.read('back.test.key'), cert: certificates.read('back.test.pem') };
  const ask = { ...own, requestCert: true, ca: certificates.read('ca.pem') };
  const ok = () => reply('ok');
  const good = await startBackend(rig, ok, 0, own);
  const gone = await startBackend(rig, ok, 0, {
    key: certificates.read('gone.test.key'),
    cert: certificates.read('gone.test.pem'),
  });
  const newer = await startBackend(rig, ok, 0, { ...own, minVersion: 'TLSv1.3' });
  const asks = await startBackend(rig, ok, 0, ask);
  const asksOld = await startBackend(rig, ok, 0, { ...ask, maxVersion: 'TLSv1.2' });
  silent = await startBackend(rig, () => undefined, 0, own);
  const reset = await startScript(rig, async (wire) => {
    await wire.readSome();
    wire.reset();
  });
  const closes = await startScript(rig, async (wire) => {
    await wire.readSome();
    wire.end();
  });
  const plain = await startScript(rig, async (wire) => {
    await wire.readSome();
    wire.end('HTTP/1.1 400 Bad Request\r\n\r\n');
  });
  const stuck = await startScript(rig, async (wire) => {
    await wire.expectEnd();
  });
  const torn = await startScript(
    rig,
    overTls(own, (_, raw) => raw.write(TORN)),
  );
  const short = await startScript(
    rig,
    overTls(own, (secure) => secure.end()),
  );
  const cut = await startScript(
    rig,
    overTls(own, (secure, raw) => secure.write(`${HEAD}half`, () => raw.end())),
  );
  const to = ({ port }: { readonly port: number }) => `proxy_pass https://127.0.0.1:${port};`;
  const strict = 'proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;';
  proxy = await startProxy(rig, {
    http: `
      log_format times "$request_uri $upstream_addr $upstream_connect_time";
      upstream back.test { server 127.0.0.1:${good.port}; }
      upstream second { server 127.0.0.1:${plain.port}; server 127.0.0.1:${good.port}; }
      upstream strangers { server 127.0.0.1:${good.port}; server 127.0.0.1:${gone.port}; }
      upstream gone.test { server 127.0.0.1:${gone.port}; }
      server {
        listen 127.0.0.1:%port%; access_log %dir%/access.log times; proxy_connect_timeout 400ms; proxy_read_timeout 5s;
        location /reset { ${to(reset)} }
        location /closes { ${to(closes)} }
        location /plain { ${to(plain)} }
        location /stuck { ${to(stuck)} }
        location /torn { ${to(torn)} }
        location /short { ${to(short)} }
        location /cut { ${to(cut)} }
        location /asks { ${to(asks)} }
        location /asks-old { ${to(asksOld)} }
        location /protocol { ${to(newer)} proxy_ssl_protocols TLSv1.2; }
        location /cipher { ${to(good)} proxy_ssl_protocols TLSv1.2; proxy_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256; }
        location /command { ${to(newer)} proxy_ssl_conf_command MaxProtocol TLSv1.2; }
        location /stranger { ${to(good)} proxy_ssl_verify on; proxy_ssl_trusted_certificate other.pem; }
        location /name { ${to(good)} ${strict} proxy_ssl_name bad.test:99; }
        location /address { ${to(good)} ${strict} }
        location /revoked { proxy_pass https://gone.test; ${strict} proxy_ssl_crl ca.crl; }
        location /not-revoked { proxy_pass https://back.test; ${strict} proxy_ssl_crl ca.crl; }
        location /chosen { ${to(good)} proxy_ssl_certificate $arg_c; proxy_ssl_certificate_key $arg_k; }
        location /scheme { proxy_pass $arg_s; }
        location /long { ${to(good)} proxy_ssl_server_name on; proxy_ssl_name $arg_n; }
        location /second { proxy_pass https://second; }
        location /only { proxy_pass https://second; proxy_next_upstream off; }
        location /strangers { proxy_pass https://strangers; ${strict} proxy_ssl_name other.test; }
        location /silent { ${to(silent)} }
      }`,
  });
});
after(() => rig.close());

const SHAKING = 'while SSL handshaking to upstream, client: ';
const READING = 'while reading response header from upstream';

describe('TLS to a peer that fails', () => {
  const CASES: readonly (readonly [target: string, status: number, said: string])[] = [
    [
      '/reset',
      502,
      `[error] peer closed connection in SSL handshake (104: Connection reset by peer) ${SHAKING}`,
    ],
    ['/closes', 502, `[error] peer closed connection in SSL handshake ${SHAKING}`],
    [
      '/plain',
      502,
      `[error] SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) ${SHAKING}`,
    ],
    ['/stuck', 504, `[error] upstream timed out (110: Connection timed out) ${SHAKING}`],
    [
      '/torn',
      502,
      `[error] SSL_read() failed (SSL: error:0A000119:SSL routines::decryption failed or bad record mac) ${READING}`,
    ],
    ['/short', 502, `[error] upstream prematurely closed connection ${READING}`],
    ['/cut', 200, '[error] upstream prematurely closed connection while reading upstream'],
    [
      '/asks',
      502,
      `[error] SSL_read() failed (SSL: error:0A00045C:SSL routines::tlsv13 alert certificate required:SSL alert number 116) ${READING}`,
    ],
    [
      '/asks-old',
      502,
      `[error] SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) ${SHAKING}`,
    ],
    [
      '/protocol',
      502,
      `[error] SSL_do_handshake() failed (SSL: error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70) ${SHAKING}`,
    ],
    [
      '/command',
      502,
      `[error] SSL_do_handshake() failed (SSL: error:0A00042E:SSL routines::tlsv1 alert protocol version:SSL alert number 70) ${SHAKING}`,
    ],
    [
      '/cipher',
      502,
      `[error] SSL_do_handshake() failed (SSL: error:0A000410:SSL routines::sslv3 alert handshake failure:SSL alert number 40) ${SHAKING}`,
    ],
    [
      '/stranger',
      502,
      `[error] upstream SSL certificate verify error: (21:unable to verify the first certificate) ${SHAKING}`,
    ],
    ['/name', 502, `[error] upstream SSL certificate does not match "bad.test" ${SHAKING}`],
    ['/address', 502, `[error] upstream SSL certificate does not match "127.0.0.1" ${SHAKING}`],
    ['/revoked', 502, `[error] upstream SSL certificate verify error: (23:certificate revoked) ${SHAKING}`],
    [
      '/chosen?c=back.test.pem&k=gone.test.key',
      500,
      '[error] SSL_use_PrivateKey("DIR/gone.test.key") failed (SSL: error:05800074:x509 certificate routines::key values mismatch) while connecting to upstream',
    ],
    [
      '/chosen?c=nowhere.pem',
      500,
      '[error] cannot load certificate "DIR/nowhere.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.pem, r) error:10000080:BIO routines::no such file) while connecting to upstream',
    ],
    [
      `/long?n=${'a'.repeat(300)}`,
      500,
      `[error] SSL_set_tlsext_host_name("${'a'.repeat(300)}") failed (SSL: `,
    ],
    ['/scheme?s=https://', 500, '[error] invalid URL prefix in "https://"'],
  ];
  for (const [target, status, said] of CASES) {
    test(`${status} for ${target.slice(0, 40)}`, async () => {
      const from = proxy.log.length;
      const wire = await proxy.connect();
      wire.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      const answer = await wire.readToEnd();
      assert.equal(Number(answer.split(' ')[1]), status);
      const told = (): string =>
        proxy.log
          .slice(from)
          .replaceAll(rig.dir, 'DIR')
          .replace(/ \d+#\d+: \*\d+/g, '')
          // As OpenSSL before 3.2 says it.
          .replaceAll('ssl/tls alert', 'sslv3 alert')
          .replaceAll(' error:0A000139:SSL routines::record layer failure', '');
      await until(() => told().includes(said), `${said}\nin ${told()}`);
    });
  }

  test('does not stop what is not revoked', async () => {
    assert.equal((await proxy.get('/not-revoked')).status, 200);
  });

  test('leads to another peer', async () => {
    for (let i = 0; i < 3; i++) assert.equal((await proxy.get('/second')).body, 'ok');
    const statuses = [(await proxy.get('/only')).status, (await proxy.get('/only')).status];
    assert.ok(statuses.every((status) => status === 200 || status === 502));
  });

  test('ends when no peer is trusted', async () => {
    assert.equal((await proxy.get('/strangers')).status, 502);
  });

  test('leaves no time of a connection', async () => {
    await proxy.get('/plain');
    const line = /^\/plain 127\.0\.0\.1:\d+ -$/m;
    await until(() => line.test(readFileSync(`${proxy.dir}/access.log`, 'latin1')), 'no connect time');
  });

  test('a client that leaves takes the connection along', async () => {
    const wire = await proxy.connect();
    wire.send('GET /silent HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => silent.requests.length > 0, 'the request');
    wire.close();
    await until(() => silent.open === 0, 'the end of the connection');
  });
});

/** What `-t` says after `[emerg] ` of a location that passes requests on over TLS. */
const WORDS: readonly (readonly [name: string, location: string, said: string])[] = [
  [
    'a certificate without a key',
    'proxy_ssl_certificate back.test.pem;',
    'no "proxy_ssl_certificate_key" is defined for certificate "back.test.pem"',
  ],
  [
    'a missing certificate',
    'proxy_ssl_certificate nowhere.pem; proxy_ssl_certificate_key ca.key;',
    'cannot load certificate "DIR/nowhere.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.pem, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'the key of another certificate',
    'proxy_ssl_certificate back.test.pem; proxy_ssl_certificate_key ca.key;',
    'SSL_CTX_use_PrivateKey("DIR/ca.key") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)',
  ],
  ['nobody to trust', 'proxy_ssl_verify on;', 'no proxy_ssl_trusted_certificate for proxy_ssl_verify'],
  [
    'a missing list of the trusted',
    'proxy_ssl_verify on; proxy_ssl_trusted_certificate nowhere.pem;',
    'cannot load certificate "DIR/nowhere.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.pem, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'a missing list of the revoked',
    'proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem; proxy_ssl_crl nowhere.crl;',
    'cannot load CRL "DIR/nowhere.crl": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.crl, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'ciphers that nobody knows',
    'proxy_ssl_ciphers NONE-SUCH;',
    'SSL_CTX_set_cipher_list("NONE-SUCH") failed (SSL: error:0A0000B9:SSL routines::no cipher match)',
  ],
  [
    'a command that nobody knows',
    'proxy_ssl_conf_command None x;',
    'SSL_CONF_cmd("None", "x") failed (SSL: error:0A000182:SSL routines::unknown cmd name:cmd=None)',
  ],
  [
    'a missing file of passwords',
    'proxy_ssl_password_file nowhere;',
    'open() "DIR/nowhere" failed (2: No such file or directory) in DIR/t.conf:1',
  ],
  [
    'a cache without a size',
    'proxy_ssl_certificate_cache valid=1m;',
    '"proxy_ssl_certificate_cache" must have the "max" parameter in DIR/t.conf:1',
  ],
  [
    'a cache with an unknown parameter',
    'proxy_ssl_certificate_cache max=1 x=2;',
    'invalid parameter "x=2" in DIR/t.conf:1',
  ],
  ['an unknown protocol', 'proxy_ssl_protocols TLSv9;', 'invalid value "TLSv9" in DIR/t.conf:1'],
];

describe('-t says of TLS to peers', () => {
  const testOf = (location: string, pass: string): string => {
    const conf = `${rig.dir}/t.conf`;
    const server = `server { listen 127.0.0.1:1; location / { ${pass} ${location} } }`;
    writeFileSync(conf, `pid ${rig.dir}/t.pid; events { } http { access_log off; ${server} }`);
    const { stderr } = spawnSync(BINARY, ['-t', '-p', rig.dir, '-c', conf, '-e', 'error.log'], {
      encoding: 'latin1',
      env: { ...process.env, NODE_TEST_CONTEXT: '' },
    });
    return stderr.replaceAll(rig.dir, 'DIR');
  };

  for (const [name, location, said] of WORDS) {
    test(name, () => {
      const text = testOf(location, 'proxy_pass https://127.0.0.1:2;');
      assert.ok(
        text.split('\n').some((line) => line.endsWith(`[emerg] ${said}`)),
        text,
      );
    });
  }

  test('nothing where no request goes over TLS', () => {
    const text = testOf(
      'proxy_ssl_certificate nowhere.pem; proxy_ssl_verify on;',
      'proxy_pass http://127.0.0.1:2;',
    );
    assert.match(text, /test is successful/);
  });

  test('all of it where a variable says where requests go', () => {
    const text = testOf('proxy_ssl_verify on;', 'proxy_pass $scheme://127.0.0.1:2;');
    assert.match(text, /no proxy_ssl_trusted_certificate for proxy_ssl_verify/);
  });
});
