/** A request does not know its transport: what locations of all kinds answer is the same over HTTP/1 and HTTP/2. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { get, H2Client, type Pair } from '../kit/h2.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const HTTP = `
  http2 on;
  default_type text/plain;
  limit_req_zone $arg_key zone=often:1m rate=1r/m;
  limit_conn_zone $arg_key zone=many:1m;
  map $http_x_mapped $mapped { default none; ~^a(.)$ "a-$1"; }
  geo $geo { default far; 127.0.0.0/8 near; }
  split_clients $arg_key $split { 50% one; * two; }
  upstream pool { server 127.0.0.1:%port:behind%; keepalive 4; }
  server {
    listen 127.0.0.1:%port%;
    server_name localhost;
    root %dir%/www;
    location / { }
    location /return { return 200 "text $request_method $uri $args $http_x_mapped $mapped $geo $split"; }
    location /empty { return 200; }
    location /nothing { return 204; }
    location /301 { return 301 /there; }
    location /302 { return 302 https://elsewhere.example/; }
    location /403 { deny all; }
    location /401 { auth_basic "a room"; auth_basic_user_file %dir%/passwords; }
    location /444 { return 444; }
    location /page { error_page 404 =200 /small.txt; return 404; }
    location /named { error_page 404 @named; return 404; }
    location @named { return 200 "named $uri"; }
    location /rewrite { rewrite ^/rewrite/(.*)$ /return/$1?x=1 last; }
    location /try { try_files $uri /small.txt =404; }
    location /alias/ { alias %dir%/www/; }
    location /list/ { autoindex on; autoindex_format json; alias %dir%/www/list/; }
    location /gzip/ { gzip on; gzip_types *; gzip_min_length 0; gzip_vary on; alias %dir%/www/; }
    location /headers { add_header X-One one; add_header X-Two "$http2" always; expires 1h; return 200 "headers"; }
    location /trailers { add_trailer X-Trailer yes; alias %dir%/www/small.txt; }
    location /proxy/ { proxy_pass http://pool/; proxy_set_header Host $host; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /unbuffered/ { proxy_pass http://pool/; proxy_buffering off; proxy_request_buffering off; }
    location /nobody/ { proxy_pass http://127.0.0.1:%port:nobody%; }
    location /accel { proxy_pass http://pool; }
    location /hidden/ { internal; alias %dir%/www/; }
    location /limited { limit_req zone=often; try_files /small.txt =404; }
    location /counted { limit_conn many 1; try_files /small.txt =404; }
    location /rate { limit_rate 400k; alias %dir%/www/large.txt; }
    location /auth { auth_request /allowed; try_files /small.txt =404; }
    location /noauth { auth_request /403; try_files /small.txt =404; }
    location /allowed { internal; return 204; }
    location /ssi/ { ssi on; ssi_types *; alias %dir%/www/; }
    location /added { add_before_body /small.txt; add_after_body /return; alias %dir%/www/list/a.txt; }
    location /mirror { mirror /mirrored; try_files /small.txt =404; }
    location /mirrored { internal; proxy_pass http://pool; }
    location /gif { empty_gif; }
    location /limitexcept { limit_except GET { deny all; } try_files /small.txt =404; }
    location /big { client_max_body_size 10; proxy_pass http://pool; }
    location /put/ { dav_methods PUT DELETE; alias %dir%/www/put/; create_full_put_path on; }
  }
  server {
    listen 127.0.0.1:%port:behind%;
    client_max_body_size 0;
    location / { return 200 "$request_method $request_uri $http_host $http_x_mapped $content_length $http_transfer_encoding"; }
    location /accel { add_header X-Accel-Redirect /hidden/small.txt; return 200 "not this"; }
    location /echo { proxy_pass http://127.0.0.1:%port:behind%/length; proxy_pass_request_body on; }
    location /length { return 200 "length $content_length"; }
    location /error { return 503 "busy"; }
    location /large { alias %dir%/www/large.txt; }
  }
`;

let proxy: Subject;
const rig = new Rig();
before(async () => {
  for (const folder of ['www/list', 'www/put']) mkdirSync(join(rig.dir, folder), { recursive: true });
  const file = (name: string, text: string): void => writeFileSync(join(rig.dir, name), text);
  file('www/small.txt', 'a small file\n');
  file('www/large.txt', Array.from({ length: 30_000 }, (_, i) => String(i).padStart(9, '0')).join(''));
  file('www/index.html', '<p>index</p>');
  file('www/page.shtml', '<!--# include virtual="/small.txt" --> and <!--# echo var="uri" -->');
  file('www/list/a.txt', 'a');
  file('passwords', 'who:{PLAIN}secret\n');
  proxy = await startProxy(rig, { http: HTTP, level: 'crit' });
});
after(() => rig.close());

interface Seen {
  readonly status: number;
  readonly lines: readonly string[];
  readonly body: string;
}

/** Lines that speak of a connection or of the moment. */
const OF_TRANSPORT = /^(?:connection|keep-alive|transfer-encoding|date|x-two): /;

const sorted = (lines: readonly string[], body: string, chunked: boolean): string[] =>
  [
    ...lines.filter((line) => !OF_TRANSPORT.test(line)),
    ...(chunked ? [`content-length: ${body.length}`] : []),
  ].sort();

const lower = (line: string): string =>
  line.replace(/^[^:]*/, (name) => name.toLowerCase()).replace(/boundary=\d+/, 'boundary');

async function byHttp1(path: string, method: string, more: readonly Pair[], body: string): Promise<Seen> {
  const wire = await proxy.connect();
  const lines = more.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const length = body === '' ? '' : `content-length: ${body.length}\r\n`;
  const head = `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${lines}${length}connection: close\r\n\r\n`;
  const message = await wire.request(head + body, method);
  wire.close();
  const all = message.head
    .split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map(lower);
  return { status: message.status, lines: sorted(all, message.body, false), body: message.body };
}

async function byHttp2(path: string, method: string, more: readonly Pair[], body: string): Promise<Seen> {
  const client = await H2Client.connect(proxy);
  client.settings([4, 2 ** 30]).window(0, 2 ** 30);
  const length: Pair[] = body === '' ? [] : [['content-length', `${body.length}`]];
  const answer = await client.ask([...get(path, method), ...more, ...length], body === '' ? undefined : body);
  client.wire.close();
  const all = answer.fields
    .split('\n')
    .slice(1)
    .filter((line) => line !== '')
    .map(lower);
  return { status: answer.status, lines: sorted(all, answer.body, false), body: answer.body };
}

const CASES: readonly (readonly [path: string, method?: string, more?: readonly Pair[], body?: string])[] = [
  ['/'],
  ['/small.txt'],
  ['/small.txt', 'HEAD'],
  ['/small.txt', 'GET', [['range', 'bytes=2-5']]],
  ['/small.txt', 'GET', [['range', 'bytes=0-1,3-4,7-']]],
  ['/small.txt', 'GET', [['range', 'bytes=100-']]],
  ['/small.txt', 'GET', [['if-modified-since', 'Fri, 01 Jan 2100 00:00:00 GMT']]],
  ['/small.txt', 'GET', [['if-match', '"nothing"']]],
  ['/small.txt', 'POST', [], 'body'],
  ['/large.txt'],
  ['/missing'],
  ['/list'],
  ['/list/'],
  ['/return?a=b', 'GET', [['x-mapped', 'ab']]],
  ['/return', 'HEAD'],
  ['/return', 'POST', [], 'body'],
  ['/empty'],
  ['/nothing'],
  ['/301'],
  ['/302'],
  ['/403'],
  ['/401'],
  ['/401/small.txt', 'GET', [['authorization', `Basic ${btoa('who:secret')}`]]],
  ['/page'],
  ['/named'],
  ['/rewrite/there'],
  ['/try/anything'],
  ['/alias/small.txt'],
  ['/gzip/large.txt', 'GET', [['accept-encoding', 'gzip']]],
  ['/gzip/small.txt'],
  ['/headers'],
  ['/proxy/there?a=b', 'GET', [['x-mapped', 'x']]],
  ['/proxy/there', 'POST', [], 'x'.repeat(60_000)],
  ['/proxy/echo', 'PUT', [], 'y'.repeat(50)],
  ['/proxy/error'],
  ['/proxy/large'],
  ['/proxy/large', 'HEAD'],
  ['/unbuffered/large'],
  ['/unbuffered/length', 'POST', [], 'z'.repeat(60_000)],
  ['/nobody/'],
  ['/accel'],
  ['/hidden/small.txt'],
  ['/limited?key=same'],
  ['/counted?key=one'],
  ['/rate'],
  ['/auth'],
  ['/noauth'],
  ['/ssi/page.shtml'],
  ['/added'],
  ['/mirror'],
  ['/gif'],
  ['/limitexcept'],
  ['/limitexcept', 'POST', [], 'body'],
  ['/big', 'POST', [], 'x'.repeat(11)],
  ['/put/file', 'PUT', [], 'content'],
  ['/put/file', 'DELETE'],
];

describe('the same answer', () => {
  for (const [path, method = 'GET', more = [], body = ''] of CASES) {
    test(`${method} ${path} ${more.flat().join(': ')}`, async () => {
      // What a request changes (files, zones) is the same for both, where each has a key of its own.
      const first = await byHttp1(path.replace('key=same', 'key=1'), method, more, body);
      const second = await byHttp2(path.replace('key=same', 'key=2'), method, more, body);
      if (path.startsWith('/put'))
        assert.deepEqual([first.status, second.status], method === 'PUT' ? [201, 204] : [204, 404]);
      else assert.deepEqual({ ...second, body: '' }, { ...first, body: '' });
      if (!path.startsWith('/put') && !/; boundary/.test(first.lines.join()))
        assert.equal(second.body, first.body);
    });
  }

  test('a refused limit, a cut', async () => {
    const client = await H2Client.connect(proxy);
    await client.ask(get('/limited?key=3'));
    assert.equal((await client.ask(get('/limited?key=3'))).status, 503);
    const cut = await client.ask(get('/444'));
    assert.deepEqual([cut.status, cut.reset], [0, 1]);
    assert.equal((await client.ask(get('/trailers'))).trailers, 'x-trailer: yes\n');
  });
});
