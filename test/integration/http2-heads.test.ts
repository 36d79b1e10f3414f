/** Heads over HTTP/2: what becomes of fields, and which requests are refused, with which status and log line. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frameHead,
  HEADERS,
} from '../../src/http/http2/frames.ts';
import { block, frame, get, H2Client, type Pair } from '../kit/h2.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const HTTP = `
  http2 on;
  log_format all '$request|$http2|$server_protocol|$request_length|$connection_requests|$host|$http_host|$status|$http_cookie';
  log_format refused '$request|$http2|$server_protocol|$request_method|$uri|$status';
  log_format sent 'sent $bytes_sent';
  large_client_header_buffers 4 1k;
  max_headers 10;
  server {
    listen 127.0.0.1:%port%;
    server_name localhost;
    location / { return 200 "$request|$http2|$server_protocol|$host|$http_host|$http_cookie|$uri|$args"; }
    location /teapot { return 418; }
    location /length { return 200 "$request_length"; }
    location /foo { return 200 "$http_foo-$http_under_score"; }
    location /proxied { proxy_pass http://127.0.0.1:%port:behind%; }
    location /error { error_page 404 /page; return 404; }
    location /page { return 200 "page"; }
    location /redirect/ { return 302 /there; }
  }
  server {
    listen 127.0.0.1:%port%;
    server_name only1;
    http2 off;
    return 200 "one";
  }
  server {
    listen 127.0.0.1:%port%;
    server_name other;
    return 200 "other";
  }
  server {
    listen 127.0.0.1:%port:logged%;
    server_name localhost;
    access_log %dir%/refused.log refused;
    location /sent { access_log %dir%/refused.log sent; return 200 "sent"; }
  }
  server {
    listen 127.0.0.1:%port:behind%;
    location / { return 200 "$request|$http_host|$http_foo|$http_te|$http_connection"; }
  }
`;

let proxy: Subject;
const rig = new Rig();
before(async () => {
  proxy = await startProxy(rig, { http: HTTP });
});
after(() => rig.close());

const ASKED: readonly (readonly [what: string, fields: readonly Pair[], status: number, body: string])[] = [
  ['a request', get('/a?b=c'), 200, 'GET /a?b=c HTTP/2.0|h2c|HTTP/2.0|localhost|localhost||/a|b=c'],
  [
    'a path with escapes',
    get('/%61/../b'),
    200,
    'GET /%61/../b HTTP/2.0|h2c|HTTP/2.0|localhost|localhost||/b|',
  ],
  [
    'an authority with a port and capitals',
    get('/', 'GET', 'LOCALHOST:8080'),
    200,
    'GET / HTTP/2.0|h2c|HTTP/2.0|localhost|LOCALHOST:8080||/|',
  ],
  ['another server', get('/', 'GET', 'other'), 200, 'other'],
  ['Host instead of an authority', [...get().slice(0, 3), ['host', 'other']], 200, 'other'],
  ['Host and the same authority', [...get('/', 'GET', 'other'), ['host', 'other']], 200, 'other'],
  [
    'crumbs of a cookie',
    [...get(), ['cookie', 'a=b'], ['foo', 'bar'], ['cookie', 'c=d; e=f'], ['cookie', '']],
    200,
    'GET / HTTP/2.0|h2c|HTTP/2.0|localhost|localhost|a=b; c=d; e=f; |/|',
  ],
  [
    'a method of its own',
    get('/', 'OWN-METHOD'),
    200,
    'OWN-METHOD / HTTP/2.0|h2c|HTTP/2.0|localhost|localhost||/|',
  ],
  ['te: trailers', [...get('/foo'), ['te', 'Trailers']], 200, '-'],
  ['an underscore, which is ignored', [...get('/foo'), ['foo', 'bar'], ['under_score', 'x']], 200, 'bar-'],
  ['a name with a tilde, which is ignored', [...get('/foo'), ['foo~', 'bar']], 200, '-'],
  ['a value with a control character', [...get('/foo'), ['foo', 'a\x01\x7fb']], 200, 'a\x01\x7fb-'],
  [
    'a proxied request',
    [...get('/proxied'), ['foo', 'bar'], ['te', 'trailers']],
    200,
    'GET /proxied HTTP/1.1|127.0.0.1:%behind%|bar||',
  ],
  ['an error page', get('/error'), 404, 'page'],
  [
    'content-length: 0 without a body',
    [...get(), ['content-length', '0']],
    200,
    'GET / HTTP/2.0|h2c|HTTP/2.0|localhost|localhost||/|',
  ],
];

describe('answered', () => {
  for (const [what, fields, status, body] of ASKED) {
    test(what, async () => {
      const client = await H2Client.connect(proxy);
      const answer = await client.ask(fields);
      assert.equal(answer.status, status);
      assert.equal(answer.body, body.replace('%behind%', `${proxy.port('behind')}`));
    });
  }

  test('HEAD has a length and no body', async () => {
    const client = await H2Client.connect(proxy);
    const answer = await client.ask(get('/', 'HEAD'));
    assert.match(answer.fields, /^content-length: [1-9]/m);
    assert.equal(answer.body, '');
  });

  test('a redirect is made absolute', async () => {
    const client = await H2Client.connect(proxy);
    const answer = await client.ask(get('/redirect/'));
    assert.equal(answer.status, 302);
    assert.match(answer.fields, new RegExp(`^location: http://localhost:${proxy.port()}/there$`, 'm'));
  });

  test('names of the reply are in lower case, and of the connection it has none', async () => {
    const client = await H2Client.connect(proxy);
    const { fields } = await client.ask(get('/proxied'));
    assert.match(
      fields,
      /^:status: 200\nserver: .*\ndate: .* GMT\ncontent-type: text\/plain\ncontent-length: \d+\n$/,
    );
  });

  test('$request_length is that of the block', async () => {
    const client = await H2Client.connect(proxy);
    const [, frames] = client.request(get('/length'));
    client.send(frames);
    assert.equal((await client.answer(1)).body, `${frames.length - 9}`);
  });

  test('a block in many frames, padded', async () => {
    const client = await H2Client.connect(proxy);
    const whole = block([...get('/foo'), ['foo', 'bar']]);
    client.send(frame(HEADERS, END_STREAM | 0x8, 1, `\x05${whole.slice(0, 3)}\0\0\0\0\0`));
    for (let at = 3; at < whole.length; at += 7)
      client.send(frame(CONTINUATION, at + 7 >= whole.length ? END_HEADERS : 0, 1, whole.slice(at, at + 7)));
    assert.equal((await client.answer(1)).body, 'bar-');
  });
});

const without = (name: string): Pair[] => get().filter(([one]) => one !== name);
const REFUSED: readonly (readonly [what: string, fields: readonly Pair[], status: number, log: string])[] = [
  ['no method', without(':method'), 400, 'client sent no :method header'],
  ['no scheme', without(':scheme'), 400, 'client sent no :scheme header'],
  ['no path', without(':path'), 400, 'client sent no :path header'],
  ['no authority', without(':authority'), 400, 'client sent neither ":authority" nor "Host" header'],
  ['two methods', [[':method', 'GET'], ...get()], 400, 'client sent duplicate :method header'],
  ['two schemes', [[':scheme', 'http'], ...get()], 400, 'client sent duplicate :scheme header'],
  ['two paths', [[':path', '/'], ...get()], 400, 'client sent duplicate :path header'],
  [
    'two authorities',
    [[':authority', 'localhost'], ...get()],
    400,
    'client sent duplicate ":authority" header',
  ],
  ['an empty method', get('/', ''), 400, 'client sent empty :method header'],
  ['an empty path', get(''), 400, 'client sent empty :path header'],
  ['a method in lower case', get('/', 'get'), 400, 'client sent invalid method: "get"'],
  ['a path without a slash', get('*', 'OPTIONS'), 400, 'client sent invalid :path header: "*"'],
  ['a path with a space', get('/a b'), 400, 'client sent invalid :path header: "/a b"'],
  ['a path above the root', get('/../a'), 400, 'client sent invalid request'],
  ['an invalid authority', get('/', 'GET', 'a/b'), 400, 'client sent invalid ":authority" header'],
  ['an empty authority', get('/', 'GET', ''), 400, 'client sent invalid ":authority" header'],
  [
    'a scheme that is none',
    [
      [':method', 'GET'],
      [':scheme', '1http'],
      [':path', '/'],
      [':authority', 'localhost'],
    ],
    400,
    'client sent invalid :scheme header: "1http"',
  ],
  [
    'a pseudo-header that is none',
    [[':own', 'x'], ...get()],
    400,
    'client sent unknown pseudo-header ":own"',
  ],
  [
    'a pseudo-header of replies',
    [[':status', '200'], ...get()],
    400,
    'client sent unknown pseudo-header ":status"',
  ],
  [
    'a pseudo-header behind a field',
    [...without(':path'), ['foo', 'bar'], [':path', '/']],
    400,
    'client sent no :path header',
  ],
  [
    'a pseudo-header behind all',
    [...get(), ['foo', 'bar'], [':path', '/']],
    400,
    'client sent out of order pseudo-headers',
  ],
  [
    'Host and another authority',
    [...get(), ['host', 'other']],
    400,
    'client sent ":authority" and "Host" headers with different values',
  ],
  [
    'two Hosts',
    [...get(), ['host', 'localhost'], ['host', 'localhost']],
    400,
    'client sent duplicate host header',
  ],
  ['Connection', [...get(), ['connection', 'close']], 400, 'client sent "Connection" header'],
  ['Keep-Alive', [...get(), ['keep-alive', 'timeout=1']], 400, 'client sent "Keep-Alive" header'],
  [
    'Transfer-Encoding',
    [...get(), ['transfer-encoding', 'chunked']],
    400,
    'client sent "Transfer-Encoding" header',
  ],
  ['Upgrade', [...get(), ['upgrade', 'websocket']], 400, 'client sent "Upgrade" header'],
  [
    'Proxy-Connection',
    [...get(), ['proxy-connection', 'close']],
    400,
    'client sent "Proxy-Connection" header',
  ],
  [
    'a length that is none, and Connection',
    [...get(), ['content-length', '1x'], ['connection', 'close']],
    400,
    'client sent "Connection" header',
  ],
  [
    'a length that is none, and a server that does not speak it',
    [...get('/', 'GET', 'only1'), ['content-length', '1x']],
    421,
    'client attempted to request the server name for which the negotiated protocol is disabled',
  ],
  ['te: gzip', [...get(), ['te', 'gzip']], 400, 'client sent invalid "TE" header'],
  ['te twice', [...get(), ['te', 'trailers'], ['te', 'trailers']], 400, 'client sent invalid "TE" header'],
  ['LF in a value', [...get(), ['foo', 'a\nb: c']], 400, 'client sent header "foo" with invalid value: "a'],
  ['CR in a value', [...get(), ['foo', 'a\rb']], 400, 'client sent header "foo" with invalid value: "a'],
  ['NUL in a value', [...get(), ['foo', 'a\0b']], 400, 'client sent header "foo" with invalid value: "a'],
  ['CR in a path, and LF', get('/a\r\nfoo: bar'), 400, 'client sent header ":path" with invalid value: "/a'],
  ['a space in a name', [...get(), ['fo o', 'bar']], 400, 'client sent invalid header name: "fo o"'],
  ['a colon in a name', [...get(), ['foo:', 'bar']], 400, 'client sent invalid header name: "foo:"'],
  [
    'a length that is none',
    [...get(), ['content-length', '1x']],
    400,
    'client sent invalid "Content-Length" header',
  ],
  [
    'two lengths',
    [...get(), ['content-length', '0'], ['content-length', '0']],
    400,
    'client sent duplicate header line: "content-length: 0", previous value: "content-length: 0"',
  ],
  ['a length and no body', [...get(), ['content-length', '5']], 400, 'client prematurely closed stream'],
  [
    'too many lines',
    [...get(), ...Array.from({ length: 11 }, (_, i): Pair => [`x${i}`, ''])],
    400,
    'client sent too many header lines',
  ],
  ['CONNECT', get('/', 'CONNECT'), 405, 'client sent CONNECT method'],
  ['TRACE', get('/', 'TRACE'), 405, 'client sent TRACE method'],
  [
    'a server that does not speak it',
    get('/', 'GET', 'only1'),
    421,
    'client attempted to request the server name for which the negotiated protocol is disabled',
  ],
];

describe('refused, and the connection goes on', () => {
  for (const [what, fields, status, log] of REFUSED) {
    test(what, async () => {
      const client = await H2Client.connect(proxy);
      const from = proxy.log.length;
      const answer = await client.ask(fields);
      assert.equal(answer.status, status);
      assert.match(answer.fields, /^content-type: text\/html$/m);
      await proxy.logged({ includes: log, from });
      const line =
        proxy.log
          .slice(from)
          .split('\n')
          .find((one) => one.includes(log)) ?? '';
      // nginx writes line ends of a value into its log as they are.
      if (!(IS_NGINX && /^(?:LF|CR) in /.test(what)))
        assert.match(
          line,
          /\[info\] .* while reading client request headers, client: 127\.0\.0\.1, server: /,
        );
      assert.equal((await client.ask(get('/teapot'))).status, 418);
    });
  }

  test('a name in upper case', async () => {
    const client = await H2Client.connect(proxy);
    const text = `${block(get())}\x00\x03Foo\x03bar`;
    client.send(frameHead(text.length, HEADERS, END_HEADERS | END_STREAM, 1) + text);
    assert.equal((await client.answer(1)).status, 400);
    await proxy.logged(/client sent invalid header name: "Foo" while reading client request headers/);
  });
});

/** What the access log says where not even the request line came to be. */
const LOGGED: readonly (readonly [what: string, fields: readonly Pair[], logged: string])[] = [
  ['no method', without(':method'), '-|h2c|HTTP/2.0|-|/|400'],
  ['a method in lower case', get('/', 'get'), '-|h2c|HTTP/2.0|get|-|400'],
  ['a path without a slash', get('*', 'OPTIONS'), '-|h2c|HTTP/2.0|OPTIONS|-|400'],
  ['no field that is one', [['x', 'y']], '-|h2c|HTTP/2.0|-|-|400'],
];

describe('logged', () => {
  for (const [what, fields, logged] of LOGGED) {
    test(what, async () => {
      const path = join(proxy.dir, 'refused.log');
      const from = readFileSync(path, 'latin1').length;
      const client = await H2Client.connect(proxy, 'logged');
      await client.ask(fields);
      const log = (): string => readFileSync(path, 'latin1').slice(from);
      await until(() => log() !== '', 'the access log');
      assert.equal(log(), `${logged}\n`);
    });
  }

  test('$bytes_sent is all that the reply was on the wire', async () => {
    const path = join(proxy.dir, 'refused.log');
    const client = await H2Client.connect(proxy, 'logged');
    client.send(client.request(get('/sent'))[1]);
    const head = await client.until(HEADERS, 1);
    const body = await client.until(DATA, 1);
    const from = 'sent ';
    await until(() => readFileSync(path, 'latin1').includes(from), 'the access log');
    assert.match(
      readFileSync(path, 'latin1'),
      new RegExp(`^sent ${18 + head.payload.length + body.payload.length}$`, 'm'),
    );
  });
});

test('a head that is wrong is answered before its block is whole, and the rest of that is read all the same', async () => {
  const client = await H2Client.connect(proxy);
  const whole = block([[':method', 'get'], ...get('/foo').slice(1)]);
  client.send(frame(HEADERS, END_STREAM, 1, whole.slice(0, -20)));
  assert.equal((await client.answer(1)).status, 400);
  client.send(frame(CONTINUATION, END_HEADERS, 1, whole.slice(-20)));
  // The client's first number has been used.
  client.request([]);
  assert.equal((await client.ask(get('/teapot'))).status, 418);
});

const ENDING: readonly (readonly [what: string, fields: readonly Pair[], code: number, log: string])[] = [
  [
    'a field longer than a buffer',
    [...get(), ['foo', '\x01'.repeat(1025)]],
    11,
    'client sent too large header field',
  ],
  [
    'fields longer than all buffers',
    [...get(), ...Array.from({ length: 5 }, (): Pair => ['foo', '\x01'.repeat(900)])],
    11,
    'client sent too large header',
  ],
];

describe('refused with the connection', () => {
  for (const [what, fields, code, log] of ENDING) {
    test(what, async () => {
      const client = await H2Client.connect(proxy);
      const from = proxy.log.length;
      client.send(client.request(fields)[1]);
      assert.equal((await client.goaway()).code, code);
      await proxy.logged({
        includes: `${log} while processing HTTP/2 connection, client: 127.0.0.1, server: `,
        from,
      });
    });
  }
});
