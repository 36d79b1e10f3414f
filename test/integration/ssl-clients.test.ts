/** Client certificates: who may go on, what is said about them, by name and by request; OCSP about both sides. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import type tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { askTls, bodyOf, connectTls, getTls, sessionOf } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;
let responder: Server;
let asked = 0;

before(async () => {
  // Knows what `openssl ocsp` has said of each certificate; the request names it by its serial number.
  responder = createServer((request, reply) => {
    asked++;
    const der = Buffer.from(decodeURIComponent((request.url ?? '').slice(1)), 'base64').toString('hex');
    const name = ['good', 'revoked', 'stapled'].find((one) => der.includes(serialOf(one)));
    if (name === undefined || !certificates.has(`${name}.ocsp`)) reply.writeHead(404);
    else reply.writeHead(200, { 'Content-Type': 'application/ocsp-response' });
    reply.end(name === undefined ? '' : certificates.ocspResponse('ca', name));
  });
  responder.listen(0, '127.0.0.1');
  await once(responder, 'listening');
  const url = `http://127.0.0.1:${(responder.address() as AddressInfo).port}`;
  certificates.make('ca', { authority: true });
  certificates.make('another', { authority: true });
  certificates.make('server', { by: 'ca' });
  certificates.make('good', { by: 'ca', extensions: [`authorityInfoAccess=OCSP;URI:${url}`] });
  certificates.make('revoked', { by: 'ca', extensions: [`authorityInfoAccess=OCSP;URI:${url}`] });
  certificates.make('stapled', { by: 'ca', extensions: [`authorityInfoAccess=OCSP;URI:${url}`] });
  certificates.make('over', { by: 'ca', days: -1 });
  certificates.make('stranger', { by: 'another' });
  certificates.register('ca', ['good', 'stapled'], ['revoked']);
  certificates.revocationList('ca');
  for (const name of ['good', 'revoked', 'stapled']) certificates.ocspResponse('ca', name);
  proxy = await startProxy(rig, {
    http: `
      ssl_certificate server.pem; ssl_certificate_key server.key; ssl_verify_depth 2;
      log_format who '$ssl_client_verify'; access_log %dir%/access.log who;
      server {
        listen 127.0.0.1:%port% ssl; server_name on.test; ssl_verify_client on; ssl_client_certificate ca.pem;
        error_page 495 =200 /verify; error_page 496 =200 /none;
        location = /verify { return 200 "495 $ssl_client_verify"; }
        location = /none { return 200 "496 $ssl_client_verify"; }
        location = /who { return 200 "$ssl_client_s_dn|$ssl_client_i_dn|$ssl_client_s_dn_legacy|$ssl_client_fingerprint|$ssl_client_v_remain"; }
        location = /serial { return 200 $ssl_client_serial; }
        location = /cert { return 200 $ssl_client_escaped_cert; }
        location = /raw { return 200 $ssl_client_raw_cert; }
        location / { return 200 "$ssl_client_verify"; }
      }
      server {
        listen 127.0.0.1:%port% ssl; server_name optional.test; ssl_verify_client optional; ssl_client_certificate ca.pem;
        location / { return 200 "optional $ssl_client_verify"; }
      }
      server {
        listen 127.0.0.1:%port% ssl; server_name any.test; ssl_verify_client optional_no_ca;
        location / { return 200 "any $ssl_client_verify"; }
      }
      server {
        listen 127.0.0.1:%port% ssl; server_name crl.test; ssl_verify_client on; ssl_client_certificate ca.pem; ssl_crl ca.crl;
        error_page 495 =200 /verify;
        location / { return 200 "$ssl_client_verify"; }
      }
      server {
        listen 127.0.0.1:%port% ssl; server_name open.test;
        location / { return 200 "open"; }
      }
      server { listen 127.0.0.1:%port:names% ssl; server_name default.test; return 200 "default"; }
      server {
        listen 127.0.0.1:%port:names% ssl; server_name open.test; error_page 421 /page;
        location / { return 200 "open"; } location = /page { return 200 "open's page of $host"; }
      }
      server { listen 127.0.0.1:%port:names% ssl; server_name closed.test; ssl_verify_client on; ssl_client_certificate ca.pem; }
      server {
        listen 127.0.0.1:%port:ocsp% ssl; ssl_verify_client on; ssl_client_certificate ca.pem;
        ssl_ocsp on; ssl_ocsp_cache shared:OCSP:1m; error_page 495 =200 /verify;
        location / { return 200 "$ssl_client_verify"; }
      }
      server {
        listen 127.0.0.1:%port:stapled% ssl; ssl_certificate stapled.pem; ssl_certificate_key stapled.key;
        ssl_stapling on; ssl_stapling_verify on; ssl_trusted_certificate ca.pem;
        location / { return 200 ""; }
      }
      server {
        listen 127.0.0.1:%port:file% ssl; ssl_stapling on; ssl_stapling_file good.ocsp;
        location / { return 200 ""; }
      }`,
  });
});
after(async () => {
  await rig.close();
  responder.close();
});

const serialOf = (name: string): string =>
  new X509Certificate(certificates.read(`${name}.pem`)).serialNumber.toLowerCase();

/** As which client to come, and to which server. */
const as = (name: string | undefined, servername: string): tls.ConnectionOptions => ({
  servername,
  ...(name === undefined
    ? {}
    : { cert: certificates.read(`${name}.pem`), key: certificates.read(`${name}.key`) }),
});
const get = (name: string | undefined, host: string, target = '/'): Promise<string> =>
  getTls(proxy.port(), target, as(name, host), host);

describe('client certificates', () => {
  test('are demanded, and their failures have pages', async () => {
    assert.equal(await get('good', 'on.test'), 'SUCCESS');
    assert.equal(await get(undefined, 'on.test'), '496 NONE');
    assert.match(await get('stranger', 'on.test'), /^495 FAILED:unable to /);
    assert.equal(await get('over', 'on.test'), '495 FAILED:certificate has expired');
    await until(() => proxy.log.includes('client sent no required SSL certificate while'), 'the log line');
    assert.match(
      proxy.log,
      /\[info\] .* client SSL certificate verify error: \(10:certificate has expired\) while/,
    );
  });

  test('are optional, or from anybody', async () => {
    assert.equal(await get(undefined, 'optional.test'), 'optional NONE');
    assert.equal(await get('good', 'optional.test'), 'optional SUCCESS');
    assert.match(await get('stranger', 'optional.test'), /400 The SSL certificate error/);
    assert.match(await get('stranger', 'any.test'), /^any FAILED:unable to /);
    assert.match(await get('over', 'any.test'), /^any FAILED:unable to |The SSL certificate error/);
  });

  test('are revoked by a list', async () => {
    assert.equal(await get('good', 'crl.test'), 'SUCCESS');
    assert.equal(await get('revoked', 'crl.test'), 'FAILED:certificate revoked');
  });

  test('bind a connection to the server that asked for them', async () => {
    const reply = await askTls(await connectTls(proxy.port(), as(undefined, 'open.test')), '/', 'on.test');
    assert.match(reply, /^HTTP\/1.1 421 /);
    assert.equal(await getTls(proxy.port(), '/', as('good', 'on.test'), 'open.test'), 'open');
  });

  test('are not what another server answers for, which keeps the request and ends the connection', async () => {
    const ask = async (request: string): Promise<string> => {
      const socket = await connectTls(proxy.port('names'), { servername: 'open.test' });
      socket.write(request);
      let text = '';
      for await (const bytes of socket) text += String(bytes);
      return text;
    };
    const twice = 'GET / HTTP/1.1\r\nHost: closed.test\r\n\r\n'.repeat(2);
    const reply = await ask(twice);
    assert.match(reply, /^HTTP\/1.1 421 [\s\S]*\r\nConnection: close\r\n[\s\S]*open's page of open.test$/);
    assert.equal(reply.split('HTTP/1.1').length, 2);
    assert.match(await ask('GET http://closed.test/ HTTP/1.1\r\nHost: open.test\r\n\r\n'), /^HTTP\/1.1 421 /);
    const said = 'client attempted to request the server name different from the one that was negotiated';
    await until(
      () =>
        proxy.log.includes(
          `${said} while reading client request headers, client: 127.0.0.1, server: open.test`,
        ) &&
        proxy.log.includes(`${said} while reading client request line, client: 127.0.0.1, server: open.test`),
      'the log lines',
    );
    // Who names nobody in the request is the default server's, whatever the handshake has named.
    assert.match(await ask('GET / HTTP/1.0\r\n\r\n'), /\r\n\r\ndefault$/);
    assert.equal(await ask('GET /\r\n'), 'default');
  });

  test('tell who they are', async () => {
    const der = new X509Certificate(certificates.read('good.pem')).raw;
    const fingerprint = createHash('sha1').update(der).digest('hex');
    assert.equal(await get('good', 'on.test', '/who'), `CN=good|CN=ca|/CN=good|${fingerprint}|1`);
    assert.equal((await get('good', 'on.test', '/serial')).toLowerCase(), serialOf('good'));
    assert.equal(decodeURIComponent(await get('good', 'on.test', '/cert')), certificates.read('good.pem'));
    assert.equal(await get('good', 'on.test', '/raw'), certificates.read('good.pem'));
  });

  test('are asked about at their responder, whose word is remembered', async () => {
    const via = (name: string): Promise<string> => getTls(proxy.port('ocsp'), '/', as(name, 'x'));
    assert.equal(await via('good'), 'SUCCESS');
    const before = asked;
    assert.equal(await via('good'), 'SUCCESS');
    assert.equal(asked, before);
    assert.equal(await via('revoked'), 'FAILED:certificate revoked');
  });

  test('go on with their session', async () => {
    const options = { ...as('good', 'on.test'), maxVersion: 'TLSv1.2' } as const;
    const session = await sessionOf(proxy.port(), options);
    const again = await connectTls(proxy.port(), { ...options, session });
    assert.equal(again.isSessionReused(), true);
    assert.equal(bodyOf(await askTls(again, '/', 'on.test')), 'SUCCESS');
    const other = await connectTls(proxy.port(), { ...options, servername: 'open.test', session });
    assert.equal(await askTls(other, '/', 'open.test').then(bodyOf), 'open');
  });
});

describe('stapling', () => {
  /** What `openssl s_client` prints of the response. */
  const status = (port: number): string => {
    const address = `127.0.0.1:${port}`;
    return execFileSync('openssl', ['s_client', '-connect', address, '-status'], {
      input: '',
      encoding: 'latin1',
      stdio: ['pipe', 'pipe', 'ignore'],
    });
  };

  test('sends what a file holds', () => {
    assert.match(status(proxy.port('file')), /OCSP Response Status: successful[\s\S]*Cert Status: good/);
  });

  test('asks the responder of the certificate, without making clients wait', async () => {
    assert.match(status(proxy.port('stapled')), /OCSP response: no response sent/);
    await until(() => /Cert Status: good/.test(status(proxy.port('stapled'))), 'the response');
  });
});
