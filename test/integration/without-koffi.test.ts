/** Where koffi has no binary: less is shared and less can be set, but the site is served. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { IS_NGINX, startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until, waitForListener } from '../kit/wait.ts';

const HIDE = `const Module = require('node:module');
const load = Module._load;
Module._load = function (name, ...rest) {
  if (name === 'koffi') throw new Error('no binary');
  return load.call(this, name, ...rest);
};`;

describe('without koffi', { skip: IS_NGINX && 'nginx has none' }, () => {
  test('serves with a warning, also after a reload', async (t) => {
    const rig = rigFor(t);
    const hide = join(rig.dir, 'hide.cjs');
    writeFileSync(hide, HIDE);
    const proxy = await startProxy(rig, {
      env: { NODE_OPTIONS: `--require ${hide}` },
      workers: 2,
      main: 'env NODE_OPTIONS;',
      http: `upstream app { zone z 64k; server 127.0.0.1:%port:back%; keepalive 4; }
        server { listen 127.0.0.1:%port% reuseport backlog=9; location / { proxy_pass http://app; } }
        server { listen 127.0.0.1:%port:back%; return 200 "served"; }`,
    });
    await waitForListener(proxy.port());
    await waitForListener(proxy.port('back'));
    assert.equal((await proxy.get('/')).body, 'served');
    assert.match(proxy.log, /\[warn\] .*the package koffi could not be loaded: zones are per worker/);
    assert.match(proxy.log, /zone "z" is not shared, each worker has its own/);
    process.kill(proxy.pid, 'SIGHUP');
    await until(() => /gracefully shutting down/.test(proxy.log), 'the reload');
    assert.equal((await proxy.get('/')).body, 'served');
  });

  test('receives no datagrams, and says so', async (t) => {
    const rig = rigFor(t);
    const hide = join(rig.dir, 'hide.cjs');
    writeFileSync(hide, HIDE);
    const { conf = '' } = streamConf('server { listen 127.0.0.1:%port% udp; return x; }');
    const env = { NODE_OPTIONS: `--require ${hide}` };
    await assert.rejects(
      startProxy(rig, { conf, env }),
      /\[emerg\] .*datagrams to 127\.0\.0\.1:\d+ cannot be received without the package koffi/,
    );
  });
});
