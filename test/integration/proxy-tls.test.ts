/** `proxy_pass https://`: where requests go, what the peer is told and shown, and what is kept of it. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { TLSSocket, type TlsOptions } from 'node:tls';
import { Certificates } from '../kit/certificates.ts';
import { type Backend, type Handler, reply, startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;
let main: Backend;
let old: Backend;
let asking: Backend;

const BIG = 'x'.repeat(2_000_000);

/** Says what the peer knows of the connection and the request. */
const tell: Handler = async (request, wire) => {
  const { socket } = wire;
  assert.ok(socket instanceof TLSSocket);
  const { target, headers, body, connection } = request;
  if (target === '/big') return reply(BIG);
  if (target === '/length') return reply(String(body.length));
  if (target === '/socket') {
    wire.send('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    wire.send(await wire.readBytes(5));
    return undefined;
  }
  const subject = socket.getPeerCertificate()?.subject?.CN ?? '-';
  const name = typeof socket.servername === 'string' ? socket.servername : '-';
  const reused = socket.isSessionReused() ? 'r' : '.';
  return reply(`${target} host=${headers.get('host')} sni=${name} cn=${subject} ${reused} #${connection}`);
};

before(async () => {
  certificates.make('ca', { authority: true });
  certificates.make('back.test', { by: 'ca', extensions: ['subjectAltName=DNS:back.test,DNS:*.wild.test'] });
  certificates.make('me', { by: 'ca' });
  certificates.make('locked', { by: 'ca', password: 'secret' });
  const tls: TlsOptions = {
    key: certificates.read('back.test.key'),
    cert: certificates.read('back.test.pem'),
  };
  main = await startBackend(rig, tell, 0, tls);
  old = await startBackend(rig, tell, 0, { ...tls, maxVersion: 'TLSv1.2' });
  asking = await startBackend(rig, tell, 0, {
    ...tls,
    requestCert: true,
    rejectUnauthorized: false,
    ca: certificates.read('ca.pem'),
  });
  await startBackend(rig, tell, `${rig.dir}/back.sock`, tls);
  const at = `https://127.0.0.1:${main.port}`;
  const strict = 'proxy_ssl_verify on; proxy_ssl_trusted_certificate ca.pem;';
  const shows = `proxy_pass https://127.0.0.1:${asking.port};`;
  writeFileSync(`${rig.dir}/passwords`, 'wrong\nsecret\n');
  proxy = await startProxy(rig, {
    http: `
      client_max_body_size 0; proxy_connect_timeout 5s;
      map $http_upgrade $connection_upgrade { default upgrade; '' ''; }
      upstream back.test { server 127.0.0.1:${main.port}; keepalive 4; }
      upstream old { server 127.0.0.1:${old.port}; keepalive 4; }
      upstream unkept { server 127.0.0.1:${main.port}; keepalive 0; }
      upstream unkept_old { server 127.0.0.1:${old.port}; keepalive 0; }
      upstream again { server 127.0.0.1:${main.port}; keepalive 0; }
      server {
        listen 127.0.0.1:%port%;
        location /as-is { proxy_pass ${at}; }
        location /uri/ { proxy_pass ${at}/other/; }
        location /upstream { proxy_pass https://back.test; add_header X-Port $proxy_host:$proxy_port; }
        location /unix { proxy_pass https://unix:${rig.dir}/back.sock:; }
        location /variable { proxy_pass $arg_scheme://127.0.0.1:${main.port}/v; }
        location /variable-upstream { proxy_pass https://$arg_to; proxy_ssl_server_name on; }
        location /redirect { proxy_pass ${at}; }
        location /around { proxy_pass ${at}; location /around/inside { return 204; } }
        location /around-variable { proxy_pass https://$arg_to; location /around-variable/inside { return 204; } }
        location /sni { proxy_pass https://unkept; proxy_ssl_server_name on; }
        location /sni-named { proxy_pass https://unkept; proxy_ssl_server_name on; proxy_ssl_name $arg_name; }
        location /verified { proxy_pass https://back.test; ${strict} }
        location /wild { proxy_pass ${at}; ${strict} proxy_ssl_name a.wild.test:1; proxy_ssl_server_name on; proxy_ssl_session_reuse off; }
        location /me { ${shows} proxy_ssl_certificate me.pem; proxy_ssl_certificate_key me.key; }
        location /locked {
          ${shows} proxy_ssl_session_reuse off; proxy_ssl_certificate locked.pem; proxy_ssl_certificate_key locked.key; proxy_ssl_password_file passwords;
        }
        location /chosen {
          ${shows} proxy_ssl_session_reuse off;
          proxy_ssl_certificate $arg_who.pem; proxy_ssl_certificate_key $arg_who.key;
        }
        location /nobody { ${shows} proxy_ssl_session_reuse off; proxy_ssl_certificate ""; }
        location /again { proxy_pass https://again; }
        location /again-old { proxy_pass https://unkept_old; }
        location /anew { proxy_pass https://unkept; proxy_ssl_session_reuse off; }
        location /old { proxy_pass https://old; }
        location /big { proxy_pass https://back.test; }
        location /unbuffered/ { proxy_pass https://back.test/; proxy_buffering off; }
        location /length { proxy_pass https://back.test; }
        location /streamed/ { proxy_pass https://back.test/; proxy_request_buffering off; }
        location /socket {
          proxy_pass https://back.test; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
        }
      }`,
  });
});
after(() => rig.close());

const bodyOf = async (target: string): Promise<string> => (await proxy.get(target)).body;

describe('requests go over TLS', () => {
  const CASES: readonly (readonly [name: string, target: string, expected: RegExp])[] = [
    ['to an address', '/as-is', /^\/as-is host=127\.0\.0\.1:\d+ sni=-/],
    ['with a URI in place of the location', '/uri/x?a=b', /^\/other\/x\?a=b /],
    ['to an upstream', '/upstream', /^\/upstream host=back\.test /],
    ['to a unix socket', '/unix', /^\/unix host=localhost /],
    ['where variables say so', '/variable?scheme=https', /^\/v /],
    ['in any case of the scheme', '/variable?scheme=HTTPS', /^\/v /],
    ['from a location with another one inside', '/around', /^\/around /],
    [
      'by variables from a location with another one inside',
      '/around-variable?to=unkept',
      /^\/around-variable/,
    ],
    [
      'to an upstream that variables name',
      '/variable-upstream?to=unkept',
      /^\/variable-upstream.* sni=unkept /,
    ],
  ];
  for (const [name, target, expected] of CASES) {
    test(name, async () => assert.match(await bodyOf(target), expected));
  }

  test('by port 443 when none is given', async () => {
    assert.equal((await proxy.get('/upstream')).headers.get('x-port'), 'back.test:443');
  });
});

describe('the peer', () => {
  const CASES: readonly (readonly [name: string, target: string, expected: RegExp])[] = [
    ['is told the name of the upstream', '/sni', / sni=unkept /],
    ['is told the name that is configured, without its port', '/sni-named?name=a.test:99', / sni=a\.test /],
    ['is not told an address of version 4', '/sni-named?name=127.0.0.2', / sni=- /],
    ['is not told an address of version 6', '/sni-named?name=[::1]:8', / sni=- /],
    ['is not told an empty name', '/sni-named?name=', / sni=- /],
    ['is not told a name by default', '/as-is', / sni=- /],
    ['is trusted with a good certificate', '/verified', /^\/verified /],
    ['is trusted with a wildcard', '/wild', / sni=a\.wild\.test /],
    ['is shown a certificate', '/me', / cn=me /],
    ['is shown a certificate whose key is locked', '/locked', / cn=locked /],
    ['is shown a certificate that variables name', '/chosen?who=me', / cn=me /],
    ['is shown none when its name is empty', '/nobody', / cn=- /],
  ];
  for (const [name, target, expected] of CASES) {
    test(name, async () => assert.match(await bodyOf(target), expected));
  }
});

describe('connections with TLS', () => {
  test('serve one request after the other', async () => {
    const before = old.accepted;
    const bodies = [await bodyOf('/old'), await bodyOf('/old'), await bodyOf('/old')];
    assert.equal(new Set(bodies.map((body) => body.split('#')[1])).size, 1);
    assert.equal(old.accepted, before + 1);
  });

  test('are kept although tickets come while they are idle', async () => {
    await bodyOf('/verified');
    const before = main.accepted;
    for (let i = 0; i < 3; i++) await bodyOf('/verified');
    assert.equal(main.accepted, before);
  });

  test('resume the session of the one before', async () => {
    for (const target of ['/again', '/again-old']) {
      const bodies = [await bodyOf(target), await bodyOf(target), await bodyOf(target), await bodyOf(target)];
      // OpenSSL takes a ticket of TLS 1.3 once.
      assert.ok(
        bodies.some((body) => body.includes(' r #')),
        bodies.join('\n'),
      );
    }
  });

  test('begin a session each where that is off', async () => {
    for (let i = 0; i < 4; i++) assert.match(await bodyOf('/anew'), / \. #/);
  });

  test('end when their pool gives them up', async () => {
    const connection = Number((await bodyOf('/again')).split('#')[1]);
    const wire = await main.wire(connection);
    await until(() => wire.ended, 'the end of the connection');
  });
});

describe('bodies over TLS', () => {
  for (const target of ['/big', '/unbuffered/big']) {
    test(`come whole from ${target}`, async () => assert.equal((await bodyOf(target)).length, BIG.length));
  }

  for (const target of ['/length', '/streamed/length']) {
    for (const size of [10, 20_000, 1_000_000]) {
      test(`of ${size} bytes arrive whole at ${target}`, async () => {
        const wire = await proxy.connect();
        const head = `POST ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${size}\r\n\r\n`;
        const answer = await wire.request(head + 'y'.repeat(size));
        assert.equal(answer.body, String(size));
      });
    }
  }

  test('go to and fro on an upgraded connection', async () => {
    const wire = await proxy.connect();
    wire.send('GET /socket HTTP/1.1\r\nHost: x\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
    assert.match(await wire.readUntil('\r\n\r\n'), /^HTTP\/1\.1 101 /);
    wire.send('hello');
    assert.equal((await wire.readBytes(5)).toString(), 'hello');
  });
});
