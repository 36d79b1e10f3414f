/** HTTP/2 over TLS: what ALPN comes to, names and certificates, and Node's own client loading many things at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import tls from 'node:tls';
import { END_HEADERS, HEADERS, PREFACE, RST_STREAM, SETTINGS, uint32 } from '../../src/http/http2/frames.ts';
import { Certificates } from '../kit/certificates.ts';
import { block, frame, get } from '../kit/h2.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

/** `behind` reads whole requests and says how long they were. */
const httpTo = (behind: number): string => `
  http2 on;
  ssl_certificate %dir%/localhost.pem;
  ssl_certificate_key %dir%/localhost.key;
  ssl_client_certificate %dir%/localhost.pem;
  client_max_body_size 0;
  server { listen 127.0.0.1:%port% ssl; server_name a.test; ssl_verify_client optional; return 200 "a $ssl_client_verify"; }
  server { listen 127.0.0.1:%port% ssl; server_name b.test; ssl_verify_client on; return 200 "b"; }
  server {
    listen 127.0.0.1:%port% ssl;
    server_name c.test;
    root %dir%;
    location / { }
    location /say { return 200 "$http2 $server_protocol $scheme $ssl_alpn_protocol $ssl_server_name $connection_requests"; }
    location /echo { proxy_pass http://127.0.0.1:${behind}; proxy_request_buffering off; }
  }
  server { listen 127.0.0.1:%port% ssl; server_name d.test; http2 off; return 200 "d $server_protocol"; }
`;

let proxy: Subject;
const rig = new Rig();
const LARGE = 3_000_000;
before(async () => {
  new Certificates(rig.dir).make('localhost');
  for (let i = 0; i < 200; i++) writeFileSync(join(rig.dir, `file${i}`), `${i}\n`.repeat(1 + i * 20));
  writeFileSync(join(rig.dir, 'large'), Buffer.alloc(LARGE, '0123456789'));
  const backend = await startBackend(rig, ({ method, body }) => reply(`${method} ${body.length}`));
  proxy = await startProxy(rig, { http: httpTo(backend.port) });
});
after(() => rig.close());

const connect = async (servername: string): Promise<http2.ClientHttp2Session> => {
  const session = http2.connect(`https://127.0.0.1:${proxy.port()}`, {
    servername,
    rejectUnauthorized: false,
  });
  session.on('error', () => undefined);
  await once(session, 'connect');
  return session;
};

const ask = async (
  session: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders,
  body?: Buffer,
): Promise<{ readonly status: number; readonly body: Buffer }> => {
  const stream = session.request({ ':authority': 'c.test', ...headers }, { endStream: body === undefined });
  if (body) stream.end(body);
  const [reply] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders];
  const pieces: Buffer[] = [];
  for await (const piece of stream) pieces.push(piece as Buffer);
  return { status: Number(reply[':status']), body: Buffer.concat(pieces) };
};

/** What ALPN comes to for a server. */
const chosen = async (servername: string, offered: string[]): Promise<string | false | null> => {
  const socket = tls.connect({
    port: proxy.port(),
    host: '127.0.0.1',
    servername,
    ALPNProtocols: offered,
    rejectUnauthorized: false,
  });
  await once(socket, 'secureConnect');
  const { alpnProtocol } = socket;
  socket.destroy();
  return alpnProtocol;
};

describe('over TLS', { timeout: 60_000 }, () => {
  test('ALPN chooses it where the server speaks it', async () => {
    assert.equal(await chosen('c.test', ['http/1.1', 'h2']), 'h2');
    assert.equal(await chosen('c.test', ['http/1.1']), 'http/1.1');
    assert.equal(await chosen('d.test', ['h2', 'http/1.1']), 'http/1.1');
  });

  test('the request knows it', async () => {
    const session = await connect('c.test');
    assert.equal(`${(await ask(session, { ':path': '/say' })).body}`, 'h2 HTTP/2.0 https h2 c.test 1');
    assert.equal(`${(await ask(session, { ':path': '/say' })).body}`, 'h2 HTTP/2.0 https h2 c.test 2');
    session.close();
  });

  test('200 files at once, a large one among them', async () => {
    const session = await connect('c.test');
    const large = ask(session, { ':path': '/large' });
    const all = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(session, { ':path': `/file${i}` })),
    );
    const more = await Promise.all(
      Array.from({ length: 100 }, (_, i) => ask(session, { ':path': `/file${i + 100}` })),
    );
    [...all, ...more].forEach(({ status, body }, i) => {
      assert.deepEqual([status, `${body}`], [200, `${i}\n`.repeat(1 + i * 20)]);
    });
    assert.ok((await large).body.equals(Buffer.alloc(LARGE, '0123456789')));
    assert.doesNotMatch(proxy.log, /\[(?:error|crit|alert)\]/);
    session.close();
  });

  test('uploads in both directions of one connection', async () => {
    const session = await connect('c.test');
    const body = Buffer.alloc(LARGE, 'x');
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => ask(session, { ':path': '/echo', ':method': 'POST' }, body)),
    );
    for (const { status, body: said } of answers)
      assert.deepEqual([status, `${said}`], [200, `POST ${LARGE}`]);
    session.close();
  });

  const ENDS: readonly (readonly [what: string, end: (tcp: net.Socket) => void, log: RegExp])[] = [
    [
      'a reset',
      (tcp) => tcp.resetAndDestroy(),
      /\[info\] .* client prematurely closed connection while processing HTTP\/2 connection, client: /,
    ],
    [
      'what is no TLS',
      (tcp) => tcp.write('no record'),
      /\[info\] .* SSL_read\(\) failed \(SSL: error:.*\) while processing HTTP\/2 connection, client: /,
    ],
  ];
  for (const [what, end, log] of ENDS) {
    test(`${what} in the middle of a frame is logged`, async () => {
      const tcp = net.connect(proxy.port(), '127.0.0.1');
      const client = tls.connect({
        socket: tcp,
        servername: 'c.test',
        ALPNProtocols: ['h2'],
        rejectUnauthorized: false,
      });
      client.on('error', () => undefined);
      await once(client, 'secureConnect');
      client.write(`${PREFACE}\0\0`);
      await once(client, 'data');
      const from = proxy.log.length;
      end(tcp);
      await until(() => log.test(proxy.log.slice(from)), 'the log');
      client.destroy();
    });
  }
  test('a reply to a body that nobody wants comes before the end of its stream, in a record of its own', async () => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port: proxy.port(),
      servername: 'c.test',
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
    });
    await once(socket, 'secureConnect');
    const head = block(get('/say', 'POST', 'c.test'));
    socket.write(PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, head), 'latin1');
    const reset = frame(RST_STREAM, 0, 1, uint32(0));
    // One piece is one record.
    for await (const piece of socket) {
      const bytes = (piece as Buffer).toString('latin1');
      if (!bytes.includes(reset)) continue;
      assert.equal(bytes, reset);
      break;
    }
    socket.destroy();
  });

  const NAMES: readonly (readonly [what: string, asked: string, authority: string, status: number])[] = [
    ['the name of the handshake', 'a.test', 'a.test', 200],
    ['a server that asks for certificates, and gets none', 'b.test', 'b.test', 400],
    ['such a server by the handshake of another', 'a.test', 'b.test', 421],
    ['one where they are optional, too', 'c.test', 'a.test', 421],
    ['a server that does not speak it', 'c.test', 'd.test', 421],
    ['another server', 'a.test', 'c.test', 403],
  ];
  for (const [what, asked, authority, status] of NAMES) {
    test(what, async () => {
      const session = await connect(asked);
      assert.equal((await ask(session, { ':authority': authority })).status, status);
      session.close();
    });
  }
});
