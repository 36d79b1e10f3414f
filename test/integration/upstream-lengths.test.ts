/** `$upstream_response_length`, `$upstream_bytes_received` and `$upstream_status`: what is counted of which reply. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startFcgiBackend } from '../kit/fcgi-backend.ts';
import { answer } from '../kit/fcgi-records.ts';
import { startBackend } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const REPLIES: Readonly<Record<string, string>> = {
  length: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
  chunked: `${CHUNKED}5\r\nhello\r\n0\r\n\r\n`,
  trailers: `${CHUNKED}5\r\nhello\r\n0\r\nX: y\r\n\r\n`,
  surplus: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world',
  behind: `${CHUNKED}5\r\nhello\r\n0\r\n\r\nmore`,
  empty: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
  none: 'HTTP/1.1 204 No Content\r\n\r\n',
  unmodified: 'HTTP/1.1 304 Not Modified\r\n\r\n',
  error: 'HTTP/1.1 503 No\r\nContent-Length: 5\r\n\r\nhello',
  next: 'HTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\nhello',
  hints: 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
};

before(async () => {
  const backend = await startBackend(rig, ({ target }, wire) => {
    const name = target.replace(/^\/\w\/|\?.*/g, '');
    if (name === 'close' || name === 'cut') {
      wire.send(`HTTP/1.1 200 OK\r\n${name === 'cut' ? 'Content-Length: 9\r\n' : ''}\r\nhello`).end();
      return undefined;
    }
    return REPLIES[name];
  });
  const fcgi = await startFcgiBackend(rig, () => answer('Content-Type: text/plain\r\n\r\nhello'));
  const pass = `proxy_pass http://127.0.0.1:${backend.port};`;
  proxy = await startProxy(rig, {
    http: `
      log_format lengths '$request_uri $upstream_response_length $upstream_bytes_received $upstream_status';
      upstream two { server 127.0.0.1:${backend.port}; server 127.0.0.1:${backend.port}; }
      server {
        listen 127.0.0.1:%port%;
        access_log %dir%/lengths.log lengths;
        error_page 503 /page;
        location /b/ { ${pass} }
        location /u/ { ${pass} proxy_buffering off; }
        location /i/ { ${pass} proxy_intercept_errors on; }
        location /n/ { proxy_pass http://two; proxy_next_upstream http_404; }
        location /f { fastcgi_pass 127.0.0.1:${fcgi.port}; }
        location /page { return 200 page; }
      }`,
  });
});
after(() => rig.close());

const logged = async (target: string, method: string): Promise<string> => {
  const wire = await proxy.connect();
  wire.send(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  await wire.readToEnd();
  const path = join(proxy.dir, 'lengths.log');
  const line = (): string | undefined =>
    readFileSync(path, 'latin1')
      .split('\n')
      .findLast((one) => one.startsWith(`${target} `));
  await until(() => line() !== undefined, 'the line');
  return line()?.slice(target.length + 1) ?? '';
};

const CASES: readonly (readonly [target: string, counted: string, method?: string])[] = [
  ['/b/length', '5 43 200'],
  ['/b/length?head', '0 43 200', 'HEAD'],
  ['/b/chunked', '15 62 200'],
  ['/b/trailers', '21 68 200'],
  ['/b/surplus', '12 50 200'],
  ['/b/behind', '19 66 200'],
  ['/b/empty', '0 38 200'],
  ['/b/none', '0 27 204'],
  ['/b/unmodified', '0 29 304'],
  ['/b/error', '5 43 503'],
  ['/b/hints', '5 80 103'],
  ['/b/close', '5 24 200'],
  ['/b/cut', '5 43 200'],
  ['/u/length', '5 43 200'],
  ['/u/length?head', '0 43 200', 'HEAD'],
  ['/u/chunked', '15 62 200'],
  ['/u/surplus', '12 50 200'],
  ['/u/behind', '19 66 200'],
  ['/u/close', '5 24 200'],
  ['/i/error', '0 43 503'],
  ['/n/next', '0, 5 43, 43 404, 404'],
  ['/f', '29 65 200'],
];

describe('what is counted of a reply', () => {
  for (const [target, counted, method = 'GET'] of CASES) {
    test(`${method} ${target}: ${counted}`, async () => {
      assert.equal(await logged(target, method), counted);
    });
  }
});
