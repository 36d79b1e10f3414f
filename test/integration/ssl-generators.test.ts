/** Configurations as certbot and Mozilla's generator write them run unchanged; and what TLS is like by default. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { askTls, bodyOf, connectTls, getTls } from '../kit/tls-client.ts';

const CIPHERS =
  'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:' +
  'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:' +
  'DHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES256-GCM-SHA384';

const makeParameters = (rig: Rig, file: string): void => {
  const group = ['genpkey', '-genparam', '-algorithm', 'DH', '-pkeyopt', 'group:ffdhe2048'];
  execFileSync('openssl', [...group, '-out', join(rig.dir, file)], { stdio: 'ignore' });
};

test("certbot's server block and options", async (t) => {
  const rig = rigFor(t);
  const live = join(rig.dir, 'live/site.test');
  mkdirSync(live, { recursive: true });
  const certificates = new Certificates(live);
  certificates.make('ca', { authority: true });
  certificates.make('fullchain', { by: 'ca', kind: 'rsa' });
  makeParameters(rig, 'ssl-dhparams.pem');
  writeFileSync(
    join(rig.dir, 'options-ssl-nginx.conf'),
    `# This file contains important security parameters.
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;

ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;

ssl_ciphers "${CIPHERS}";
`,
  );
  const proxy = await startProxy(rig, {
    http: `
      server {
        server_name site.test;
        location / { return 200 "$ssl_protocol $ssl_cipher"; }

        listen 127.0.0.1:%port% ssl; # managed by Certbot
        ssl_certificate %dir%/live/site.test/fullchain.pem; # managed by Certbot
        ssl_certificate_key %dir%/live/site.test/fullchain.key; # managed by Certbot
        include %dir%/options-ssl-nginx.conf; # managed by Certbot
        ssl_dhparam %dir%/ssl-dhparams.pem; # managed by Certbot
      }
      server {
        if ($host = site.test) {
          return 301 https://$host$request_uri;
        } # managed by Certbot

        listen 127.0.0.1:%port:plain%;
        server_name site.test;
        return 404; # managed by Certbot
      }`,
  });
  assert.match(await getTls(proxy.port(), '/', { servername: 'site.test' }), /^TLSv1.3 TLS_/);
  const cipher = 'DHE-RSA-AES128-GCM-SHA256';
  const old = { servername: 'site.test', maxVersion: 'TLSv1.2', ciphers: cipher } as const;
  assert.equal(await getTls(proxy.port(), '/', old), `TLSv1.2 ${cipher}`);
  const wire = await proxy.connect('plain');
  const moved = await wire.request('GET /a?b HTTP/1.1\r\nHost: site.test\r\nConnection: close\r\n\r\n');
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get('location'), 'https://site.test/a?b');
});

test("Mozilla's intermediate configuration", async (t) => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('root', { authority: true });
  certificates.make('site', { by: 'root' });
  makeParameters(rig, 'dhparam');
  const proxy = await startProxy(rig, {
    http: `
      server {
        listen 127.0.0.1:%port% ssl;
        http2 on;

        ssl_certificate %dir%/site.pem;
        ssl_certificate_key %dir%/site.key;
        ssl_session_timeout 1d;
        ssl_session_cache shared:MozSSL:10m;  # about 40000 sessions

        ssl_dhparam "%dir%/dhparam";

        # intermediate configuration
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ecdh_curve X25519:prime256v1:secp384r1;
        ssl_ciphers ${CIPHERS};
        ssl_prefer_server_ciphers off;

        # HSTS (ngx_http_headers_module is required) (63072000 seconds)
        add_header Strict-Transport-Security "max-age=63072000" always;

        # OCSP stapling
        ssl_stapling on;
        ssl_stapling_verify on;
        ssl_trusted_certificate %dir%/root.pem;
        resolver 127.0.0.1;

        location / { return 200 "$ssl_curve $ssl_alpn_protocol"; }
      }`,
  });
  const reply = await askTls(await connectTls(proxy.port(), { ALPNProtocols: ['http/1.1'] }), '/');
  assert.match(reply, /\r\nStrict-Transport-Security: max-age=63072000\r\n/);
  assert.equal(bodyOf(reply), 'X25519 http/1.1');
  assert.equal(await getTls(proxy.port(), '/', { ecdhCurve: 'secp384r1' }), 'secp384r1 ');
  const both = await connectTls(proxy.port(), { ALPNProtocols: ['http/1.1', 'h2'] });
  assert.equal(both.alpnProtocol, 'h2');
  both.destroy();
  await proxy.logged(
    /\[warn\] .*"ssl_stapling" ignored, no OCSP responder URL in the certificate ".*site\.pem"/,
  );
});

test('by default there is nothing below TLS 1.2, forward secrecy, and no renegotiation', async (t) => {
  const rig = rigFor(t);
  const certificates = new Certificates(rig.dir);
  certificates.make('rsa', { kind: 'rsa' });
  const proxy = await startProxy(rig, {
    http: `server { listen 127.0.0.1:%port% ssl; ssl_certificate rsa.pem; ssl_certificate_key rsa.key;
      ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; location / { return 200 "$ssl_cipher"; } }`,
  });
  const client = (...args: string[]): string => {
    const command = ['s_client', '-connect', `127.0.0.1:${proxy.port()}`, ...args];
    const { stdout, stderr } = spawnSync('openssl', command, { input: '', encoding: 'latin1' });
    return stdout + stderr;
  };
  assert.match(client('-tls1_1', '-cipher', 'ALL:@SECLEVEL=0'), /Cipher is \(NONE\)/);
  assert.match(client('-tls1_2'), /New, TLSv1.2, Cipher is ECDHE-RSA-/);
  assert.match(client('-tls1_2'), /Secure Renegotiation IS supported/);
  assert.match(client(), /New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256/);
  const socket = tls.connect({
    host: '127.0.0.1',
    port: proxy.port(),
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
  });
  await once(socket, 'secureConnect');
  const [error] = await new Promise<[Error | null]>((done) => {
    socket.on('error', (reason) => done([reason]));
    socket.renegotiate({}, (reason) => done([reason]));
  });
  assert.match(String(error), /no renegotiation/i);
  socket.destroy();
});

test('early data is taken where it is asked for', async (t) => {
  const rig = rigFor(t);
  new Certificates(rig.dir).make('a');
  const proxy = await startProxy(rig, {
    http: `ssl_certificate a.pem; ssl_certificate_key a.key;
      server { listen 127.0.0.1:%port% ssl; ssl_early_data on; location / { return 200 "early<$ssl_early_data>"; } }
      server { listen 127.0.0.1:%port:off% ssl; location / { return 200 "early<$ssl_early_data>"; } }`,
  });
  writeFileSync(join(rig.dir, 'request'), 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  const client = (name: string, ...args: string[]): string =>
    spawnSync(
      'openssl',
      ['s_client', '-connect', `127.0.0.1:${proxy.port(name)}`, '-tls1_3', '-ign_eof', ...args],
      {
        cwd: rig.dir,
        input: args[0] === '-sess_out' ? 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n' : '',
        encoding: 'latin1',
      },
    ).stdout;
  for (const [name, said] of [
    ['', 'early<1>'],
    ['off', undefined],
  ] as const) {
    assert.match(client(name, '-sess_out', `session${name}`), /early<>/);
    const reply = client(name, '-sess_in', `session${name}`, '-early_data', 'request');
    if (said === undefined) assert.match(reply, /Early data was (not sent|rejected)/);
    else assert.ok(reply.includes(said), reply);
  }
});
