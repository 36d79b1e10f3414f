/** Folders of temporary files: made at start, and the user's where the program is root. */
import assert from 'node:assert/strict';
import { chmodSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { userByName } from '../../src/platform/accounts.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';

const NAMES = ['client_body_temp', 'proxy_temp', 'fastcgi_temp', 'own/body', 'own-proxy'];
const LARGE = 200_000;

const HTTP = `
  server {
    listen 127.0.0.1:%port%;
    location / { return 200 "\${request_body_file}x"; }
    location /up {
      client_body_temp_path own/body 1 2;
      proxy_temp_path own-proxy;
      proxy_pass http://127.0.0.1:%port%/;
    }
  }
`;

const ROOT = process.getuid?.() === 0;

test('folders of temporary files are there at start', async (t) => {
  const rig = rigFor(t);
  const proxy = await startProxy(rig, { http: HTTP });
  await proxy.get('/');
  for (const name of NAMES) {
    const { mode } = statSync(join(proxy.dir, name));
    assert.equal(mode & 0o777, 0o700, name);
  }
});

test('the user owns them and can write there', { skip: ROOT ? false : 'needs root' }, async (t) => {
  const rig = rigFor(t);
  chmodSync(rig.dir, 0o755);
  const proxy = await startProxy(rig, {
    conf: `
user nobody nogroup;
pid %dir%/nginx.pid; error_log %dir%/error.log info;
events { }
http { access_log off; ${HTTP} }
`,
  });
  await proxy.get('/');
  const nobody = userByName('nobody');
  for (const name of NAMES) assert.equal(statSync(join(proxy.dir, name)).uid, nobody?.uid, name);
  const wire = await proxy.connect();
  const head = `POST /up HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${LARGE}\r\nConnection: close\r\n\r\n`;
  const reply = await wire.request(head + 'x'.repeat(LARGE));
  assert.match(reply.line, / 200 /);
});
