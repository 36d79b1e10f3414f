/** `gzip_static`: which clients are sent the compressed file, and what its head says. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const packed = gzipSync('packed');

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(join(www, 'folder.gz'), { recursive: true });
  writeFileSync(join(www, 'a.html'), 'plain');
  writeFileSync(join(www, 'a.html.gz'), packed);
  writeFileSync(join(www, 'only.html.gz'), packed);
  writeFileSync(join(www, 'plain.html'), 'plain');
  writeFileSync(join(www, 'folder'), 'plain');
  proxy = await startProxy(rig, {
    http: `
      types { text/html html; }
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        gzip_static on;
        location / { }
        location /off/ { alias %dir%/www/; gzip_static off; }
        location /always/ { alias %dir%/www/; gzip_static always; gzip_vary on; }
        location /vary/ { alias %dir%/www/; gzip_vary on; }
        location /old/ { alias %dir%/www/; gzip_http_version 1.0; }
        location /via/ { alias %dir%/www/; gzip_proxied any; }
        location /agent/ { alias %dir%/www/; gzip_disable Old; }
        location /both/ { alias %dir%/www/; gzip on; gzip_min_length 0; }
      }`,
  });
});
after(() => rig.close());

const GZIP = 'Accept-Encoding: gzip\r\n';
const get = (target: string, headers = GZIP): Promise<Message> => proxy.get(target, headers);

describe('which file is sent', () => {
  const cases: readonly [target: string, headers: string, status: number, gzip: boolean, vary: boolean][] = [
    ['/a.html', GZIP, 200, true, false],
    ['/a.html', '', 200, false, false],
    ['/a.html', 'Accept-Encoding: gzip;q=0\r\n', 200, false, false],
    ['/a.html', 'Accept-Encoding: deflate\r\n', 200, false, false],
    ['/plain.html', GZIP, 200, false, false],
    ['/only.html', GZIP, 200, true, false],
    ['/only.html', '', 404, false, false],
    ['/folder', GZIP, 200, false, false],
    ['/off/a.html', GZIP, 200, false, false],
    ['/always/a.html', '', 200, true, false],
    ['/always/plain.html', GZIP, 200, false, false],
    ['/vary/a.html', GZIP, 200, true, true],
    ['/vary/a.html', '', 200, false, true],
    ['/vary/plain.html', GZIP, 200, false, false],
    ['/a.html', `${GZIP}Via: 1.1 x\r\n`, 200, false, false],
    ['/via/a.html', `${GZIP}Via: 1.1 x\r\n`, 200, true, false],
    ['/agent/a.html', `${GZIP}User-Agent: Older\r\n`, 200, false, false],
    ['/both/a.html', GZIP, 200, true, false],
  ];
  for (const [target, headers, status, gzip, vary] of cases) {
    test(`${target} ${headers.replaceAll('\r\n', ' ')}: ${status}${gzip ? ' gzip' : ''}`, async () => {
      const got = await get(target, headers);
      assert.equal(got.status, status);
      assert.equal(got.headers.get('content-encoding'), gzip ? 'gzip' : undefined);
      assert.equal(got.headers.get('vary'), vary ? 'Accept-Encoding' : undefined);
      if (status === 200) assert.equal(got.body, gzip ? packed.toString('latin1') : 'plain');
    });
  }

  for (const [target, gzip] of [
    ['/a.html', undefined],
    ['/old/a.html', 'gzip'],
  ] as const) {
    test(`HTTP/1.0 ${target}: ${gzip}`, async () => {
      const wire = await proxy.connect();
      const got = await wire.request(`GET ${target} HTTP/1.0\r\n${GZIP}\r\n`);
      assert.equal(got.headers.get('content-encoding'), gzip);
    });
  }
});

test('the head is that of the compressed file, the type that of the URI', async () => {
  const got = await get('/a.html');
  assert.equal(got.headers.get('content-type'), 'text/html');
  assert.equal(got.headers.get('content-length'), String(packed.length));
  assert.match(got.headers.get('etag') ?? '', new RegExp(`-${packed.length.toString(16)}"$`));
  assert.equal(got.headers.get('accept-ranges'), 'bytes');
});

test('its parts can be asked for', async () => {
  const got = await get('/a.html', `${GZIP}Range: bytes=2-3\r\n`);
  assert.equal(got.status, 206);
  assert.equal(got.body, packed.toString('latin1', 2, 4));
});

test('POST is not for it', async () => {
  const wire = await proxy.connect();
  const got = await wire.request(`POST /a.html HTTP/1.1\r\nHost: x\r\n${GZIP}Content-Length: 0\r\n\r\n`);
  assert.equal(got.status, 405);
});
