/** `scgi_pass` and `uwsgi_pass`: what servers of these are sent, byte by byte, and which replies of theirs are understood. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { Backend, type Script, startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const rig = new Rig();
const certificates = new Certificates(rig.dir);
let proxy: Subject;

/** A request as a server got it. */
interface Got {
  /** Ahead of the parameters: the netstring's length, or the packet's first four bytes. */
  readonly start: string;
  readonly params: ReadonlyMap<string, string>;
  readonly body: string;
}
const got: Got[] = [];

const bodyOf = async (wire: Wire, params: ReadonlyMap<string, string>): Promise<string> =>
  (await wire.readBytes(Number(params.get('CONTENT_LENGTH') || 0))).toString('latin1');

const readScgi = async (wire: Wire): Promise<Got> => {
  const start = await wire.readUntil(':');
  const packet = (await wire.readBytes(Number(start.slice(0, -1)))).toString('latin1');
  assert.equal((await wire.readBytes(1)).toString(), ',');
  const words = packet.split('\0');
  const params = new Map<string, string>();
  for (let i = 0; i + 1 < words.length; i += 2) params.set(words[i] ?? '', words[i + 1] ?? '');
  return { start, params, body: await bodyOf(wire, params) };
};

const readUwsgi = async (wire: Wire): Promise<Got> => {
  const start = await wire.readBytes(4);
  const packet = await wire.readBytes(start.readUInt16LE(1));
  const params = new Map<string, string>();
  for (let at = 0; at < packet.length - 1; ) {
    const name = packet.subarray(at + 2, at + 2 + packet.readUInt16LE(at));
    at += 2 + name.length;
    if (at >= packet.length) break;
    const value = packet.subarray(at + 2, at + 2 + packet.readUInt16LE(at));
    at += 2 + value.length;
    params.set(name.toString('latin1'), value.toString('latin1'));
  }
  return { start: start.toString('hex'), params, body: await bodyOf(wire, params) };
};

/** What the server says for each path. */
const REPLIES: Readonly<Record<string, readonly string[]>> = {
  '/plain': ['Content-Type: text/plain\r\n\r\nplain'],
  '/status': ['Status: 404 None\r\n\r\nnone'],
  '/location': ['Location: http://x/\r\n\r\n'],
  '/line': ['HTTP/1.1 201 Made\r\nX-A: 1\r\n\r\nmade'],
  '/line-split': ['HT', 'TP/1.1 201', ' Made\r', '\nX-A: 1\r\n\r', '\nmade'],
  '/bare': ['X-A: 1\n\nbare'],
  '/length': ['Content-Length: 4\r\n\r\nfour'],
  '/longer': ['Content-Length: 4\r\n\r\nfourmore'],
  '/shorter': ['Content-Length: 9\r\n\r\nfour'],
  '/204': ['Status: 204\r\n\r\n'],
  '/invalid': ['a b\r\n\r\n'],
  '/bad-status': ['Status: x\r\n\r\n'],
  '/big': [`X-A: ${'a'.repeat(5000)}\r\n\r\n`],
  '/nothing': [],
};

const serve =
  (read: (wire: Wire) => Promise<Got>): Script =>
  async (wire) => {
    const request = await read(wire);
    got.push(request);
    for (const piece of REPLIES[request.params.get('PATH') ?? ''] ?? ['\r\n', 'ok']) {
      wire.send(piece);
      await new Promise((done) => setTimeout(done, 5));
    }
    wire.end();
  };

before(async () => {
  certificates.make('back.test');
  const scgi = await startScript(rig, serve(readScgi));
  const uwsgi = await startScript(rig, serve(readUwsgi));
  const secure = new Backend(serve(readUwsgi), {
    key: certificates.read('back.test.key'),
    cert: certificates.read('back.test.pem'),
  });
  await secure.listen();
  rig.defer(() => secure.close());
  const params = (name: string): string => `
    ${name}_param PATH $uri; ${name}_param CONTENT_LENGTH $content_length;
    ${name}_param EMPTY ""; ${name}_param NONE $arg_none if_not_empty; ${name}_param HTTP_X_GONE "";`;
  proxy = await startProxy(rig, {
    allowAlert: /uwsgi request is too big/,
    http: `
      large_client_header_buffers 4 64k; client_max_body_size 0;
      upstream back.test { server 127.0.0.1:${secure.port}; }
      server {
        listen 127.0.0.1:%port:scgi%; scgi_param SCGI 1; scgi_param PATH $uri; scgi_param EMPTY "";
        scgi_param NONE $arg_none if_not_empty; scgi_param HTTP_X_GONE "";
        location / { scgi_pass 127.0.0.1:${scgi.port}; }
        location /variable { scgi_pass 127.0.0.1:$arg_port; }
        location /streamed { scgi_pass 127.0.0.1:${scgi.port}; scgi_request_buffering off; }
        location /bodiless { scgi_pass 127.0.0.1:${scgi.port}; scgi_pass_request_body off; scgi_pass_request_headers off; scgi_param CONTENT_LENGTH 0; }
      }
      server {
        listen 127.0.0.1:%port:uwsgi%; ${params('uwsgi')}
        location / { uwsgi_pass 127.0.0.1:${uwsgi.port}; }
        location /scheme { uwsgi_pass uwsgi://127.0.0.1:${uwsgi.port}; uwsgi_modifier1 5; uwsgi_modifier2 7; uwsgi_string x; }
        location /secure {
          uwsgi_pass suwsgi://back.test; uwsgi_ssl_verify on; uwsgi_ssl_trusted_certificate back.test.pem;
        }
        location /stranger {
          uwsgi_pass suwsgi://back.test; uwsgi_ssl_verify on; uwsgi_ssl_trusted_certificate back.test.pem;
          uwsgi_ssl_name other.test;
        }
        location /variable { uwsgi_pass $arg_scheme://127.0.0.1:$arg_port; }
      }`,
  });
  ports.scgi = scgi.port;
  ports.uwsgi = uwsgi.port;
  ports.secure = secure.port;
});
after(() => rig.close());
const ports = { scgi: 0, uwsgi: 0, secure: 0 };

const ask = async (
  name: 'scgi' | 'uwsgi',
  target: string,
  headers = '',
  body = '',
  method = 'GET',
): Promise<string> => {
  const wire = await proxy.connect(name);
  wire.send(`${method} ${target} HTTP/1.1\r\nHost: a.test:81\r\nConnection: close\r\n${headers}\r\n${body}`);
  return wire.readToEnd();
};

for (const name of ['scgi', 'uwsgi'] as const) {
  describe(`${name}_pass`, () => {
    const CASES: readonly (readonly [target: string, status: number, rest: RegExp, said?: string])[] = [
      ['/plain', 200, /\r\n\r\n(?:5\r\n)?plain/],
      ['/status', 404, /none/],
      ['/location', 302, /Location: http:\/\/x\//],
      ['/line', 201, /^HTTP\/1\.1 201 Made\r\n[\s\S]*X-A: 1\r\n[\s\S]*made/],
      ['/line-split', 201, /^HTTP\/1\.1 201 Made\r\n[\s\S]*X-A: 1\r\n[\s\S]*made/],
      ['/bare', 200, /X-A: 1\r\n[\s\S]*bare/],
      ['/length', 200, /Content-Length: 4\r\n[\s\S]*\r\n\r\nfour$/],
      ['/longer', 200, /\r\n\r\nfour$/, 'upstream sent more data than specified in "Content-Length" header'],
      ['/shorter', 200, /\r\n\r\nfour$/, 'upstream prematurely closed connection'],
      ['/204', 204, /\r\n\r\n$/],
      ['/invalid', 502, /Bad Gateway/, 'upstream sent invalid header: "a\\x20..."'],
      ['/bad-status', 502, /Bad Gateway/, 'upstream sent invalid status "x"'],
      ['/big', 502, /Bad Gateway/, 'upstream sent too big header'],
      ['/nothing', 502, /Bad Gateway/, 'upstream prematurely closed connection'],
    ];
    for (const [target, status, rest, said] of CASES) {
      test(`understands ${target}`, async () => {
        const from = proxy.log.length;
        const answer = await ask(name, target);
        assert.equal(Number(answer.split(' ')[1]), status);
        assert.match(answer, rest);
        if (said !== undefined) await until(() => proxy.log.slice(from).includes(said), said);
      });
    }

    test('sends the parameters and the headers', async () => {
      await ask(name, '/x', 'X-One: 1\r\nX-Gone: 2\r\nCookie: a\r\nCookie: b\r\nAccept: c\r\nAccept: d\r\n');
      const { params } = got.at(-1) ?? { params: new Map<string, string>() };
      assert.equal(params.get('PATH'), '/x');
      assert.equal(params.get('EMPTY'), '');
      assert.equal(params.get('HTTP_HOST'), 'a.test:81');
      assert.equal(params.get('HTTP_X_ONE'), '1');
      assert.equal(params.get('HTTP_COOKIE'), 'a; b');
      assert.equal(params.get('HTTP_ACCEPT'), 'c, d');
      assert.equal(params.has('HTTP_X_GONE'), false);
      assert.equal(params.has('NONE'), false);
    });

    for (const size of [5, 50_000]) {
      test(`sends a body of ${size} bytes`, async () => {
        const body = 'b'.repeat(size);
        await ask(name, '/x', `Content-Length: ${size}\r\n`, body, 'POST');
        assert.equal(got.at(-1)?.body, body);
      });
    }

    test('sends the length of a chunked body', async () => {
      await ask(name, '/x', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n', 'POST');
      assert.equal(got.at(-1)?.body, 'abcde');
    });

    test('gives HEAD a head', async () => {
      assert.match(await ask(name, '/length', '', '', 'HEAD'), /Content-Length: 4\r\n[\s\S]*\r\n\r\n$/);
    });
  });
}

describe('scgi', () => {
  test('goes where variables say', async () => {
    assert.match(await ask('scgi', `/variable?port=${ports.scgi}`), /ok/);
  });

  test('sends a body as it comes', async () => {
    await ask('scgi', '/streamed', 'Content-Length: 5\r\n', 'abcde', 'POST');
    assert.equal(got.at(-1)?.body, 'abcde');
  });

  test('begins with the length of the body', async () => {
    await ask('scgi', '/x');
    assert.equal([...(got.at(-1)?.params.keys() ?? [])][0], 'CONTENT_LENGTH');
  });

  test('sends neither body nor headers where it is not to', async () => {
    await ask('scgi', '/bodiless', 'Content-Length: 2\r\nX-One: 1\r\n', 'ab', 'POST');
    assert.equal(got.at(-1)?.body, '');
    assert.equal(got.at(-1)?.params.has('HTTP_X_ONE'), false);
  });
});

describe('uwsgi', () => {
  test('sends modifiers and a string', async () => {
    await ask('uwsgi', '/scheme');
    assert.match(got.at(-1)?.start ?? '', /^05.{4}07$/);
  });

  test('goes over TLS', async () => {
    assert.match(await ask('uwsgi', '/secure'), /ok/);
    assert.match(await ask('uwsgi', '/stranger'), /502 Bad Gateway/);
    await proxy.logged(/upstream SSL certificate does not match "other\.test" .* upstream: "suwsgi:\/\//);
  });

  test('goes where variables say, over TLS where they say so', async () => {
    assert.match(await ask('uwsgi', `/variable?scheme=uwsgi&port=${ports.uwsgi}`), /ok/);
    assert.match(await ask('uwsgi', `/variable?scheme=suwsgi&port=${ports.secure}`), /ok/);
  });

  test('refuses what does not fit into a packet', async () => {
    const answer = await ask('uwsgi', '/x', `X-A: ${'a'.repeat(60_000)}\r\nX-B: ${'b'.repeat(6000)}\r\n`);
    assert.match(answer, /^HTTP\/1\.1 500 /);
  });
});
