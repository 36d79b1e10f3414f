/** When a FastCGI connection returns to its pool: one test a rule, counted at the responder. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FcgiHandler, FcgiRequest } from '../kit/fcgi-backend.ts';
import { readRecord, readRequest, sayFcgiConnection, startFcgiBackend } from '../kit/fcgi-backend.ts';
import { answer, endRequest, record, STDERR, STDOUT } from '../kit/fcgi-records.ts';
import { startScript } from '../kit/http-backend.ts';
import { closedAt, connectionOf, settle, startPool } from '../kit/pool-bench.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';

const head = (request: FcgiRequest): string => `X-Connection: ${request.connection}\r\n`;

describe('a FastCGI connection is kept', () => {
  const cases: readonly [name: string, handler: FcgiHandler][] = [
    ['after END_REQUEST', sayFcgiConnection],
    ['after a reply with Content-Length', (r) => answer(`${head(r)}Content-Length: 2\r\n\r\nok`)],
    ['after an empty reply', (r) => answer(`${head(r)}\r\n`)],
    ['after a head with bare newlines', (r) => answer(`X-Connection: ${r.connection}\n\nok`)],
    [
      'after END_REQUEST with padding everywhere',
      (r) => Buffer.concat([record(STDOUT, `${head(r)}\r\nok`, 7), record(STDOUT, '', 3), endRequest()]),
    ],
    [
      'after END_REQUEST without the empty STDOUT record',
      (r) => Buffer.concat([record(STDOUT, `${head(r)}\r\nok`), endRequest()]),
    ],
    [
      'after STDERR between the parts',
      (r) =>
        Buffer.concat([
          record(STDERR, 'first'),
          record(STDOUT, `${head(r)}\r\no`),
          record(STDERR, 'second'),
          record(STDOUT, 'k'),
          record(STDOUT),
          endRequest(),
        ]),
    ],
    ['after an exit status', (r) => Buffer.concat([record(STDOUT, `${head(r)}\r\nok`), endRequest(3)])],
  ];
  for (const buffering of ['on', 'off']) {
    for (const [name, fcgi] of cases) {
      test(`${name} (fastcgi_buffering ${buffering})`, async (t) => {
        const { ask, backend } = await startPool(t, { fcgi, location: `fastcgi_buffering ${buffering};` });
        for (let i = 0; i < 3; i++) {
          assert.equal(connectionOf(await ask('/')), 1);
        }
        assert.equal(backend.accepted, 1);
      });
    }
  }

  test('and BEGIN_REQUEST carries the keep-connection flag', async (t) => {
    const seen: FcgiRequest[] = [];
    const { ask } = await startPool(t, {
      fcgi: (request, wire) => {
        seen.push(request);
        return sayFcgiConnection(request, wire);
      },
    });
    await ask('/', 'POST', 'Content-Length: 5\r\n\r\nhello');
    assert.equal(seen[0]?.keep, true);
    assert.equal(seen[0]?.role, 1);
    assert.equal(seen[0]?.stdin, 'hello');
  });
});

describe('a FastCGI connection is closed', () => {
  test('without fastcgi_keep_conn, although there is a pool, and the flag is not set', async (t) => {
    const rig = rigFor(t);
    const flags: boolean[] = [];
    const backend = await startFcgiBackend(rig, (request, wire) => {
      flags.push(request.keep);
      return sayFcgiConnection(request, wire);
    });
    const proxy = await startProxy(rig, {
      http: `upstream pool { server 127.0.0.1:${backend.port}; keepalive 4; }
             server { listen 127.0.0.1:%port%; location / { fastcgi_pass pool; } }`,
    });
    assert.equal(connectionOf(await proxy.get('/')), 1);
    assert.equal(connectionOf(await proxy.get('/')), 2);
    assert.deepEqual(flags, [false, false]);
  });

  test('by the proxy in the end, where the application does not close it', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire, connection) => {
      for (;;) wire.send((await sayFcgiConnection(await readRequest(wire, connection, 1), wire)) ?? '');
    });
    const proxy = await startProxy(rig, {
      http: `server { listen 127.0.0.1:%port%; location / { fastcgi_pass 127.0.0.1:${backend.port}; } }`,
    });
    assert.equal(connectionOf(await proxy.get('/')), 1);
    assert.equal(connectionOf(await proxy.get('/')), 2);
    await closedAt(backend, 1);
    await closedAt(backend, 2);
  });

  const cases: readonly [name: string, handler: FcgiHandler, method?: string][] = [
    ['after the reply to HEAD, which is not read to its end', sayFcgiConnection, 'HEAD'],
    ['after 204, which is not read to its end', (r) => answer(`${head(r)}Status: 204\r\n\r\n`)],
    [
      'after a reply without END_REQUEST',
      (r, wire) => {
        wire.send(Buffer.concat([record(STDOUT, `${head(r)}Content-Length: 2\r\n\r\nok`), record(STDOUT)]));
        wire.end();
        return undefined;
      },
    ],
    [
      'after bytes behind END_REQUEST',
      (r) => Buffer.concat([answer(`${head(r)}\r\nok`), record(STDERR, 'late')]),
    ],
    [
      'after a reply longer than its Content-Length',
      (r) => answer(`${head(r)}Content-Length: 2\r\n\r\nokmore`),
    ],
  ];
  for (const buffering of ['on', 'off']) {
    for (const [name, fcgi, method = 'GET'] of cases) {
      test(`${name} (fastcgi_buffering ${buffering})`, async (t) => {
        const { proxy, backend } = await startPool(t, { fcgi, location: `fastcgi_buffering ${buffering};` });
        for (let i = 1; i <= 3; i++) {
          const client = await proxy.connect();
          const got = await client.request(`${method} / HTTP/1.1\r\nHost: localhost\r\n\r\n`);
          assert.equal(connectionOf(got), i);
        }
        await closedAt(backend, 3);
      });
    }
  }

  test('but not after 204 or 304 with a reason, which is read to its end', async (t) => {
    let status = '204 No Content';
    const { proxy, backend } = await startPool(t, {
      fcgi: (r) => answer(`${head(r)}Status: ${status}\r\n\r\n`),
      location: '',
    });
    for (status of ['204 No Content', '304 Not Modified', '204 No Content']) {
      const got = await proxy.get('/');
      assert.equal(got.status, Number(status.slice(0, 3)));
      assert.equal(connectionOf(got), 1);
    }
    assert.equal(backend.accepted, 1);
  });

  test('after a reply that came before the request body was sent', async (t) => {
    const rig = rigFor(t);
    const backend = await startScript(rig, async (wire, number) => {
      await readRecord(wire);
      wire.send(answer(`X-Connection: ${number}\r\n\r\nearly`));
      await wire.readToEnd();
      wire.end();
    });
    const proxy = await startProxy(rig, {
      http: `upstream pool { server 127.0.0.1:${backend.port}; keepalive 4; }
             server {
               listen 127.0.0.1:%port%;
               location / { fastcgi_pass pool; fastcgi_keep_conn on; fastcgi_request_buffering off; }
             }`,
    });
    const client = await proxy.connect();
    client.send('POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nonly a part');
    assert.equal((await client.readMessage()).status, 200);
    await closedAt(backend, 1);
    assert.equal(connectionOf(await proxy.get('/')), 2);
  });

  test('when the client goes away before the reply', async (t) => {
    const { proxy, backend } = await startPool(t, { fcgi: () => undefined });
    const client = await proxy.connect();
    client.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await backend.wire(1);
    await settle();
    client.close();
    await closedAt(backend, 1);
  });

  test('when it is idle and any byte comes, or it is closed', async (t) => {
    const { asked, backend } = await startPool(t, { fcgi: sayFcgiConnection });
    assert.equal(await asked(), 1);
    (await backend.wire(1)).send(record(STDERR, 'unasked'));
    await closedAt(backend, 1);
    assert.equal(await asked(), 2);
    (await backend.wire(2)).end();
    await settle();
    assert.equal(await asked(), 3);
  });

  test('after keepalive_requests', async (t) => {
    const { asked } = await startPool(t, {
      fcgi: sayFcgiConnection,
      upstream: 'keepalive 4; keepalive_requests 2;',
    });
    assert.deepEqual([await asked(), await asked(), await asked()], [1, 1, 2]);
  });
});

describe('a request that meets a close on a reused FastCGI connection', () => {
  const staleOnce: FcgiHandler = (request, wire) => {
    if (request.connection === 1 && request.request === 2) {
      wire.close();
      return undefined;
    }
    return sayFcgiConnection(request, wire);
  };

  test('is sent again when it is a GET', async (t) => {
    const { asked } = await startPool(t, { fcgi: staleOnce, server: 'max_fails=1' });
    assert.deepEqual([await asked(), await asked(), await asked()], [1, 2, 2]);
  });

  test('is not sent again when it is a POST', async (t) => {
    const { asked, ask } = await startPool(t, { fcgi: staleOnce });
    assert.equal(await asked(), 1);
    assert.equal((await ask('/', 'POST', 'Content-Length: 1\r\n\r\nx')).status, 502);
  });
});
