/** A Node that does not give its handles: sockets are `net.Socket` then, and everything else is as ever. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { getTls } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';

const HIDE = `process.binding = () => {
  throw new Error('not given');
};`;

describe('without handles', { skip: IS_NGINX && 'nginx needs none' }, () => {
  const rig = new Rig();
  const big = '0123456789abcdef'.repeat(1_500_000);
  let proxy: Subject;

  before(async () => {
    const hide = join(rig.dir, 'hide.cjs');
    writeFileSync(hide, HIDE);
    mkdirSync(join(rig.dir, 'www'));
    writeFileSync(join(rig.dir, 'www/big'), big);
    new Certificates(rig.dir).make('site');
    proxy = await startProxy(rig, {
      env: { NODE_OPTIONS: `--require ${hide}` },
      main: 'env NODE_OPTIONS;',
      http: `upstream app { server unix:%dir%/app.sock; keepalive 4; }
        upstream tcp { server 127.0.0.1:%port:back%; keepalive 4; }
        log_format ended '$uri $status [$request_completion]';
        server { listen 127.0.0.1:%port%;
          access_log %dir%/access.log ended;
          location / { proxy_pass http://app; }
          location /tcp/ { proxy_pass http://tcp/; proxy_bind 127.0.0.9; }
          location /files/ { alias %dir%/www/; }
          location /refused/ { proxy_pass http://127.0.0.1:1; }
        }
        server { listen 127.0.0.1:%port:tls% ssl;
          ssl_certificate %dir%/site.pem; ssl_certificate_key %dir%/site.key;
          location / { proxy_pass http://app; }
          location /files/ { alias %dir%/www/; }
        }
        server { listen unix:%dir%/app.sock; listen 127.0.0.1:%port:back%; client_max_body_size 0;
          location / { return 200 "from $remote_addr, connection $connection_requests"; }
          location /big { alias %dir%/www/big; }
        }`,
    });
  });
  after(() => rig.close());

  test('requests are answered over kept connections, also to upstreams', async () => {
    const client = await proxy.connect();
    const ask = async (target: string): Promise<string> =>
      (await client.request(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).body;
    assert.equal(await ask('/'), 'from unix:, connection 1');
    assert.equal(await ask('/'), 'from unix:, connection 2');
    assert.equal(await ask('/tcp/'), 'from 127.0.0.9, connection 1');
    await proxy.connect();
    client.close();
    assert.equal((await proxy.get('/', 'X-Last: 1\r\n')).body, 'from unix:, connection 3');
  });

  test('large replies arrive whole, from files and from upstreams', async () => {
    assert.equal((await proxy.get('/files/big')).body === big, true);
    assert.equal((await proxy.get('/big')).body === big, true);
  });

  test('TLS runs over them', async () => {
    assert.match(await getTls(proxy.port('tls'), '/'), /^from unix:, connection \d+$/);
    assert.equal((await getTls(proxy.port('tls'), '/files/big')) === big, true);
  });

  test('a refused connection is a 502 and its line', async () => {
    assert.equal((await proxy.get('/refused/')).status, 502);
    await proxy.logged(/connect\(\) failed \(111: Connection refused\) while connecting to upstream/);
  });

  test('a client that goes away ends its request', async () => {
    const client = await proxy.connect();
    client.send('GET /files/big HTTP/1.1\r\nHost: a\r\n\r\n');
    await client.readHead();
    client.pause().reset();
    const log = join(rig.dir, 'access.log');
    await until(() => readFileSync(log, 'latin1').includes('/files/big 200 []'), 'the end of the request');
  });
});
