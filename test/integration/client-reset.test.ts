/** Clients that have reset their connections by the time that the worker looks at what they sent. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { children } from '../kit/processes.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { allRead } from '../kit/sockets.ts';
import { connectTls } from '../kit/tls-client.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const HUGE = 2 ** 30;

describe('a client that has reset its connection already', () => {
  const rig = new Rig();
  let proxy: Subject;
  let worker = 0;
  /** A connection to the backend that waits for its reply. */
  let asked: (wire: Wire) => void = () => {};
  const late = new Promise<Wire>((resolve) => {
    asked = resolve;
  });

  before(async () => {
    mkdirSync(join(rig.dir, 'www'));
    writeFileSync(join(rig.dir, 'www/huge'), '');
    truncateSync(join(rig.dir, 'www/huge'), HUGE);
    new Certificates(rig.dir).make('site');
    const backend = await startBackend(rig, (_, wire) => {
      asked(wire);
      return undefined;
    });
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
          location /late { proxy_pass http://127.0.0.1:${backend.port}; proxy_ignore_client_abort on; }
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
    const replied = new Promise((resolve) => client.once('data', resolve));
    ask('/none');
    await replied;
    const before = readSoFar();
    await asleep(() => {
      ask('/huge');
      bare.resetAndDestroy();
    });
    assert.equal((await proxy.get('/none')).status, 404);
    assert.ok(readSoFar() - before < HUGE / 4);
  });

  // nginx does not read on while it answers, and so is never told of the client's close_notify.
  test('what TLS has to say about it is an info', { skip: IS_NGINX }, async () => {
    const bare = net.connect(proxy.port('tls'), '127.0.0.1');
    const client = await connectTls(0, { socket: bare });
    for (const end of [bare, client]) end.on('error', () => {});
    const before = proxy.log.length;
    client.end('GET /late HTTP/1.1\r\nHost: a\r\n\r\n');
    const backend = await late;
    await until(() => allRead(proxy.port('tls'), bare.localPort ?? 0, true), 'the last byte to be read');
    await asleep(async () => {
      await backend.flush(reply('late'));
      bare.resetAndDestroy();
    });
    const log = await proxy.logged({ includes: 'SSL_write()', from: before });
    assert.match(log, /\[info\] \S+ \*\d+ SSL_write\(\) failed \(32: Broken pipe\) /);
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
