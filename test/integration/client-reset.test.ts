/** Clients that have reset their connections by the time that the worker looks at what they sent. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { children } from '../kit/processes.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { connectTls } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';

const HUGE = 2 ** 30;

describe('a client that has reset its connection already', () => {
  const rig = new Rig();
  let proxy: Subject;
  let worker = 0;

  before(async () => {
    mkdirSync(join(rig.dir, 'www'));
    writeFileSync(join(rig.dir, 'www/huge'), '');
    truncateSync(join(rig.dir, 'www/huge'), HUGE);
    new Certificates(rig.dir).make('site');
    proxy = await startProxy(rig, {
      workers: 1,
      http: `log_format who '$remote_addr $status $request_uri';
        sendfile off; root %dir%/www;
        server { listen 127.0.0.1:%port%;
          access_log %dir%/access.log who;
          location /local { allow unix:; deny all; }
        }
        server { listen 127.0.0.1:%port:tls% ssl;
          ssl_certificate %dir%/site.pem; ssl_certificate_key %dir%/site.key;
        }`,
    });
    await until(() => children(proxy.pid).length > 0, 'the worker');
    [worker = 0] = children(proxy.pid);
    assert.ok(worker > 1);
  });
  after(() => rig.close());

  /** What the client does while the worker sleeps. */
  const asleep = async (act: () => Promise<void> | void): Promise<void> => {
    process.kill(worker, 'SIGSTOP');
    try {
      await until(() => / T /.test(readFileSync(`/proc/${worker}/stat`, 'latin1')), 'the worker to sleep');
      await act();
    } finally {
      process.kill(worker, 'SIGCONT');
    }
  };

  /** Bytes that the worker has read, from files too. */
  const readSoFar = (): number =>
    Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${worker}/io`, 'latin1'))?.[1]);

  test('a file is not read for it', async () => {
    const client = await proxy.connect();
    await client.request('GET /none HTTP/1.1\r\nHost: a\r\n\r\n');
    const before = readSoFar();
    await asleep(() => {
      client.send('GET /huge HTTP/1.1\r\nHost: a\r\n\r\n');
      client.reset();
    });
    assert.equal((await proxy.get('/none')).status, 404);
    assert.ok(readSoFar() - before < HUGE / 4);
  });

  test('nor over TLS', async () => {
    const bare = net.connect(proxy.port('tls'), '127.0.0.1');
    const client = await connectTls(0, { socket: bare });
    const ask = (target: string): boolean => client.write(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    for (const end of [bare, client]) end.on('error', () => {});
    const reply = new Promise((resolve) => client.once('data', resolve));
    ask('/none');
    await reply;
    const before = readSoFar();
    await asleep(() => {
      ask('/huge');
      bare.resetAndDestroy();
    });
    assert.equal((await proxy.get('/none')).status, 404);
    assert.ok(readSoFar() - before < HUGE / 4);
  });

  test('it is not taken for one on a unix socket', async () => {
    await asleep(async () => {
      const client = await proxy.connect();
      client.send('GET /local HTTP/1.0\r\n\r\n');
      client.reset();
    });
    await proxy.get('/last');
    const log = (): string => readFileSync(join(rig.dir, 'access.log'), 'latin1');
    await until(() => log().includes('/last'), 'the line');
    const lines = log()
      .split('\n')
      .filter((line) => line.endsWith('/local'));
    assert.deepEqual(lines, IS_NGINX ? ['127.0.0.1 403 /local'] : []);
  });
});
