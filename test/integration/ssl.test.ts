/** TLS to clients: certificates by server name, what is agreed on, keepalive, plain HTTP on a TLS port, bad handshakes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;

const certificate = (name: string, ...kind: readonly string[]): void => {
  const files = ['-keyout', join(rig.dir, `${name}.key`), '-out', join(rig.dir, `${name}.pem`)];
  const subject = ['-nodes', '-days', '2', '-subj', `/CN=${name}.test`];
  execFileSync('openssl', ['req', '-x509', '-newkey', ...kind, ...subject, ...files], { stdio: 'ignore' });
};

const BIG = 'x'.repeat(1_000_000);

before(async () => {
  certificate('ec', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');
  certificate('rsa', 'rsa:2048');
  certificate('other', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');
  writeFileSync(join(rig.dir, 'big'), BIG);
  const session = '$ssl_protocol $ssl_server_name $ssl_session_reused $scheme $https';
  proxy = await startProxy(rig, {
    http: `
      server {
        listen 127.0.0.1:%port% ssl; server_name ec.test; root %dir%;
        ssl_certificate ec.pem; ssl_certificate_key ec.key;
        ssl_certificate rsa.pem; ssl_certificate_key rsa.key;
        location = /session { return 200 "${session}"; }
        location = /cipher { return 200 $ssl_cipher; }
        location = /body { client_max_body_size 2m; proxy_pass http://127.0.0.1:%port:plain%; }
      }
      server {
        listen 127.0.0.1:%port%; server_name other.test *.other.test; ssl_protocols TLSv1.2;
        ssl_certificate other.pem; ssl_certificate_key other.key;
        error_page 497 =301 https://$host$request_uri;
        location / { return 200 "other $ssl_protocol"; }
      }
      server { listen 127.0.0.1:%port:plain%; client_max_body_size 2m; location / { return 200 "$content_length $scheme<$https>"; } }
      server {
        listen 127.0.0.1:%port:proxied% ssl proxy_protocol; ssl_certificate ec.pem; ssl_certificate_key ec.key;
        location / { return 200 "$proxy_protocol_addr $scheme"; }
      }`,
  });
});
after(() => rig.close());

const connect = async (options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> => {
  const socket = tls.connect({
    host: '127.0.0.1',
    port: proxy.port(),
    rejectUnauthorized: false,
    ...options,
  });
  await once(socket, 'secureConnect');
  return socket;
};

const readAll = async (socket: net.Socket): Promise<string> => {
  let text = '';
  socket.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
  });
  await once(socket, 'close');
  return text;
};

const ask = (socket: net.Socket, target: string, host = 'ec.test', more = ''): void => {
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`);
};

const bodyOf = (reply: string): string => reply.slice(reply.indexOf('\r\n\r\n') + 4);

const get = async (
  target: string,
  options: tls.ConnectionOptions = {},
  host = 'ec.test',
): Promise<string> => {
  const socket = await connect(options);
  ask(socket, target, host);
  return bodyOf(await readAll(socket));
};

describe('TLS to clients', () => {
  test('tells what has been agreed on', async () => {
    assert.equal(await get('/session', { servername: 'ec.test' }), 'TLSv1.3 ec.test . https on');
    assert.equal(await get('/session'), 'TLSv1.3  . https on');
  });

  test('offers the certificate and the protocols of the server that is named', async () => {
    for (const servername of ['other.test', 'a.OTHER.test']) {
      const socket = await connect({ servername });
      assert.equal(socket.getPeerCertificate().subject.CN, 'other.test');
      ask(socket, '/', 'other.test');
      assert.equal(bodyOf(await readAll(socket)), 'other TLSv1.2');
    }
  });

  test('leaves a request without a host to the default server, whatever name it asked for', async () => {
    const socket = await connect({ servername: 'other.test' });
    assert.equal(socket.getPeerCertificate().subject.CN, 'other.test');
    socket.write('GET /session HTTP/1.0\r\n\r\n');
    assert.match(bodyOf(await readAll(socket)), / https on$/);
  });

  test('has a certificate for each kind of key', async () => {
    const cipher = async (ciphers: string): Promise<string> =>
      get('/cipher', { maxVersion: 'TLSv1.2', ciphers });
    assert.equal(await cipher('ECDHE-RSA-AES128-GCM-SHA256'), 'ECDHE-RSA-AES128-GCM-SHA256');
    assert.equal(await cipher('ECDHE-ECDSA-AES128-GCM-SHA256'), 'ECDHE-ECDSA-AES128-GCM-SHA256');
  });

  test('goes on with an earlier session', async () => {
    const first = await connect({ maxVersion: 'TLSv1.2' });
    const session = first.getSession();
    first.destroy();
    assert.ok(session);
    assert.match(await get('/session', { maxVersion: 'TLSv1.2', session }), / r https on$/);
  });

  test('keeps the connection, and ends it with close_notify', async () => {
    const socket = await connect();
    for (let i = 0; i < 3; i++) {
      socket.write('GET /session HTTP/1.1\r\nHost: ec.test\r\n\r\n');
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      assert.match(bytes.toString('latin1'), /^HTTP\/1.1 200 /);
    }
    ask(socket, '/session');
    assert.match(await readAll(socket), /Connection: close/);
  });

  test('carries large bodies both ways', async () => {
    assert.equal((await get('/big')).length, BIG.length);
    const socket = await connect();
    socket.write(
      `POST /body HTTP/1.1\r\nHost: ec.test\r\nConnection: close\r\nContent-Length: ${BIG.length}\r\n\r\n${BIG}`,
    );
    assert.equal(bodyOf(await readAll(socket)), `${BIG.length} http<>`);
  });

  test('answers plain HTTP with 400, or as error_page 497 says', async () => {
    const plain = async (host: string): Promise<string> => {
      const socket = net.connect(proxy.port(), '127.0.0.1');
      ask(socket, '/x?y', host);
      return readAll(socket);
    };
    assert.match(
      await plain('ec.test'),
      /^HTTP\/1.1 400 [\s\S]*The plain HTTP request was sent to HTTPS port/,
    );
    assert.match(
      await plain('other.test'),
      /^HTTP\/1.1 301 [\s\S]*\r\nLocation: https:\/\/other.test\/x\?y\r\n/,
    );
  });

  test('reads the PROXY protocol before the handshake', async () => {
    const socket = net.connect(proxy.port('proxied'), '127.0.0.1');
    socket.write('PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n');
    const secure = tls.connect({ socket, rejectUnauthorized: false });
    await once(secure, 'secureConnect');
    ask(secure, '/');
    assert.equal(bodyOf(await readAll(secure)), '192.0.2.1 https');
  });

  test('survives clients that leave or talk nonsense in the handshake', async () => {
    const abandon = net.connect(proxy.port(), '127.0.0.1');
    abandon.end(Buffer.from([22, 3, 1]));
    await readAll(abandon);
    await until(
      () => proxy.log.includes('peer closed connection in SSL handshake while SSL handshaking'),
      'the log line',
    );
    const nonsense = net.connect(proxy.port(), '127.0.0.1');
    nonsense.write(Buffer.from('\x16\x03\x01\x00\x05hello', 'latin1'));
    await readAll(nonsense);
    await until(
      () => /SSL_do_handshake\(\) failed \(SSL: error:0A0000F4:SSL routines::/.test(proxy.log),
      'the log line',
    );
    const old = tls.connect({
      host: '127.0.0.1',
      port: proxy.port(),
      rejectUnauthorized: false,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL@SECLEVEL=0',
    });
    await once(old, 'error');
    await until(
      () => proxy.log.includes('unsupported protocol) while SSL handshaking, client: 127.0.0.1, server: '),
      'the log line',
    );
    assert.match(await get('/session'), /^TLSv1.3/);
  });
});
