/** Handshakes that come to nothing, what the log says of them, and what OpenSSL leaves behind of those that go well. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { askTls, bodyOf, connectTls, getTls } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;

before(async () => {
  certificates.make('server');
  certificates.make('root', { authority: true });
  certificates.make('middle', { by: 'root', authority: true });
  certificates.make('low', { by: 'middle', authority: true });
  certificates.make('deep', { by: 'low' });
  certificates.register('root', []);
  certificates.revocationList('root');
  writeFileSync(
    join(rig.dir, 'deep.chain'),
    ['deep', 'low', 'middle'].map((name) => certificates.read(`${name}.pem`)).join(''),
  );
  proxy = await startProxy(rig, {
    allowAlert: /stale global SSL error/,
    http: `
      ssl_certificate server.pem; ssl_certificate_key server.key;
      server { listen 127.0.0.1:%port% ssl; return 200 "$ssl_protocol"; }
      server { listen 127.0.0.1:%port:new% ssl; ssl_protocols TLSv1.3; }
      server { listen 127.0.0.1:%port:two% ssl; http2 on; }
      server { listen 127.0.0.1:%port:closed% ssl; ssl_reject_handshake on; }
      server { listen 127.0.0.1:%port:short% ssl; client_header_timeout 300ms; }
      server { listen 127.0.0.1:%port:short% ssl; server_name long.test; client_header_timeout 1h; }
      server { listen 127.0.0.1:%port:proxied% ssl proxy_protocol; }
      server { listen 127.0.0.1:%port:named% ssl; server_name y; ssl_certificate $ssl_server_name.pem; ssl_certificate_key server.key; }
      server {
        listen 127.0.0.1:%port:crl% ssl; ssl_verify_client on; ssl_client_certificate root.pem; ssl_crl root.crl;
        error_page 495 =200 /why; location /why { return 200 $ssl_client_verify; }
      }`,
  });
});
after(() => rig.close());

/** How often the log has it. */
const times = (text: string): number => proxy.log.split(text).length - 1;
const logged = (text: string): Promise<void> => until(() => times(text) > 0, `"${text}" in the log`);
const about = (name?: string): string => `client: 127.0.0.1, server: 127.0.0.1:${proxy.port(name)}`;

/** What comes back for bytes. */
const answer = async (port: number, bytes: string): Promise<string> => {
  const wire = await Wire.connect(port);
  wire.send(bytes);
  return wire.readToEnd();
};

/** The first bytes of a client. */
const helloTo = async (servername: string): Promise<Buffer> => {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const client = tls.connect({
    port: (server.address() as net.AddressInfo).port,
    host: '127.0.0.1',
    servername,
  });
  client.on('error', () => {});
  const [socket] = await accepted;
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  server.close();
  return bytes;
};

const refused = async (port: number): Promise<string> => {
  const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  const [error] = (await once(socket, 'error')) as [Error];
  return error.message;
};

describe('a handshake', () => {
  test('that fails is said once', async () => {
    assert.match(await refused(proxy.port('new')), /alert protocol version/);
    const text = `unsupported protocol) while SSL handshaking, ${about('new')}`;
    await logged(text);
    assert.equal(await getTls(proxy.port(), '/'), 'TLSv1.3');
    assert.equal(times('unsupported protocol'), 1);
  });

  test('of records that can be none is refused at once', async () => {
    assert.equal(await answer(proxy.port(), '\x16\x03\x01\xff\xffx'), '\x15\x03\x03\0\x02\x02\x16');
    await logged(`packet length too long) while SSL handshaking, ${about()}`);
    assert.equal(await answer(proxy.port(), '\x16garbage'), '');
    await logged(`wrong version number) while SSL handshaking, ${about()}`);
  });

  test('is rejected where it makes sense', async () => {
    assert.match(await refused(proxy.port('closed')), /unrecognized name/);
    await logged(`handshake rejected while SSL handshaking, ${about('closed')}`);
    assert.equal(await answer(proxy.port('closed'), '\x16\x03\x01\0\x05hello'), '\x15\x03\x03\0\x02\x02\n');
    await logged(`unexpected message) while SSL handshaking, ${about('closed')}`);
    assert.equal(times('handshake rejected'), 1);
  });

  test('that the client cuts is said with the reason', async () => {
    const hello = await helloTo('x');
    const text = `peer closed connection in SSL handshake (104: Connection reset by peer) while SSL handshaking, ${about()}`;
    const whole = await Wire.connect(proxy.port());
    whole.send(hello);
    await once(whole.socket, 'data');
    whole.reset();
    await logged(text);
  });

  test('has the time of the default server, from the connection on', async () => {
    const hello = await helloTo('long.test');
    const wire = await Wire.connect(proxy.port('short'));
    wire.send(hello);
    await wire.readToEnd();
    await logged(`client timed out (110: Connection timed out) while SSL handshaking, ${about('short')}`);
  });

  test('that no whole PROXY header comes before is no handshake', async () => {
    for (const begun of ['', 'PROXY TCP4']) {
      const wire = await Wire.connect(proxy.port('proxied'));
      wire.end(begun);
      await wire.readToEnd();
      await logged(`broken header: "${begun}" while reading PROXY protocol, ${about('proxied')}`);
    }
  });

  test('without a certificate is said of the address', async () => {
    const socket = tls.connect({ host: '127.0.0.1', port: proxy.port('named'), servername: 'nobody' });
    await once(socket, 'error');
    await logged(`no such file) while SSL handshaking, ${about('named')}`);
  });

  test('leaves no error behind that another call is blamed for', async () => {
    const socket = await connectTls(proxy.port('crl'), {
      cert: certificates.read('deep.chain'),
      key: certificates.read('deep.key'),
    });
    assert.equal(bodyOf(await askTls(socket, '/')), 'FAILED:CRL signature failure');
    await until(
      () => /\[alert\] .* ignoring stale global SSL error \(SSL: error:/.test(proxy.log),
      'the line',
    );
    assert.equal(times('SSL_read() failed'), 0);
  });

  /** An open connection, and the socket below it. */
  const open = async (
    name?: string,
    options: tls.ConnectionOptions = {},
  ): Promise<[net.Socket, tls.TLSSocket]> => {
    const bare = net.connect(proxy.port(name), '127.0.0.1');
    const client = await connectTls(0, { ...options, socket: bare });
    for (const end of [bare, client]) end.on('error', () => {});
    return [bare, client];
  };
  const NO_RECORD = 'no record of TLS';

  test('may go well, and what follows not', async () => {
    const [bare, client] = await open();
    const reply = once(client, 'data');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /half');
    await reply;
    bare.write(NO_RECORD);
    await once(bare, 'close');
    await until(
      () =>
        /SSL_read\(\) failed \(SSL: \S+SSL routines::wrong version number\) while reading client pipelined request line, .*request: "GET \/half"/.test(
          proxy.log,
        ),
      'the line',
    );
    const [below, above] = await open('two', { ALPNProtocols: ['h2'] });
    await once(above, 'data');
    below.write(NO_RECORD);
    await once(below, 'close');
    await logged(`wrong version number) while processing HTTP/2 connection, ${about('two')}`);
  });

  test('is not said good-bye to by who was told so first', async () => {
    const [bare, client] = await open();
    const reply = once(client, 'data');
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await reply;
    const { bytesRead } = bare;
    client.end();
    await once(bare, 'close');
    assert.equal(bare.bytesRead, bytesRead);
  });
});
