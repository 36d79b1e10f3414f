/**
 * The story of upstream keepalive: 200 requests one after another, counting the connections the backend accepts and
 * the sockets left in TIME_WAIT, which lie on the side that closed first.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { type Answering, startH2Backend } from '../kit/h2-backend.ts';
import type { Handler } from '../kit/http-backend.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { startResponder } from '../kit/libfcgi.ts';
import { startPhpFpm } from '../kit/php-fpm.ts';
import { freePort } from '../kit/ports.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { established, timeWait } from '../kit/sockets.ts';
import { needs } from '../kit/tools.ts';

const REQUESTS = 200;
/** TIME_WAIT sockets that the kernel may have recycled before they were counted. */
const SLACK = 20;

interface Outcome {
  readonly connections: number;
  /** Sockets in TIME_WAIT on the backend's side and on the proxy's. */
  readonly byBackend: number;
  readonly byProxy: number;
}

/** Sends the requests over one client connection and returns the last body. */
async function run(proxy: Subject, target: string): Promise<string> {
  const wire = await proxy.connect();
  let body = '';
  for (let i = 0; i < REQUESTS; i++) {
    const answer = await wire.request(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    assert.equal(answer.status, 200, answer.head);
    body = answer.body;
  }
  wire.close();
  return body;
}

function outcome(port: number, connections: number): Outcome {
  const waiting = timeWait(port);
  return { connections, byBackend: waiting.listener, byProxy: waiting.connector };
}

function assertEachClosedBy(side: 'backend' | 'proxy', found: Outcome, t: TestContext): void {
  t.diagnostic(JSON.stringify(found));
  assert.equal(found.connections, REQUESTS);
  const [here, there] =
    side === 'backend' ? [found.byBackend, found.byProxy] : [found.byProxy, found.byBackend];
  assert.ok(here >= REQUESTS - SLACK, `${here} closed by the ${side}`);
  assert.ok(there <= SLACK, `${there} closed by the other side`);
}

function assertOneConnection(found: Outcome, t: TestContext): void {
  t.diagnostic(JSON.stringify(found));
  assert.deepEqual(found, { connections: 1, byBackend: 0, byProxy: 0 });
}

/** The three configurations of a FastCGI backend. */
function fastcgi(address: string, which: 'neither' | 'keep_conn' | 'both', params: string): string {
  return `
    upstream pool { server ${address}; ${which === 'both' ? 'keepalive 4;' : 'keepalive 0;'} }
    server {
      listen 127.0.0.1:%port%;
      location / {
        fastcgi_pass ${which === 'both' ? 'pool' : address};
        ${which === 'neither' ? '' : 'fastcgi_keep_conn on;'}
        ${params}
      }
    }`;
}

describe('FastCGI, libfcgi responder', { skip: needs('libfcgi') }, () => {
  const params = 'fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;';
  const count = (body: string): number => Number(/connections (\d+)/.exec(body)?.[1]);

  test('neither directive: a connection each, closed by the FastCGI side', async (t) => {
    const rig = rigFor(t);
    const port = await startResponder(rig);
    const proxy = await startProxy(rig, { http: fastcgi(`127.0.0.1:${port}`, 'neither', params) });
    assertEachClosedBy('backend', outcome(port, count(await run(proxy, '/'))), t);
  });

  test('fastcgi_keep_conn alone: a connection each, closed by the proxy', async (t) => {
    const rig = rigFor(t);
    const port = await startResponder(rig);
    const proxy = await startProxy(rig, { http: fastcgi(`127.0.0.1:${port}`, 'keep_conn', params) });
    assertEachClosedBy('proxy', outcome(port, count(await run(proxy, '/'))), t);
  });

  test('fastcgi_keep_conn and keepalive: one connection and no TIME_WAIT', async (t) => {
    const rig = rigFor(t);
    const port = await startResponder(rig);
    const proxy = await startProxy(rig, { http: fastcgi(`127.0.0.1:${port}`, 'both', params) });
    assertOneConnection(outcome(port, count(await run(proxy, '/'))), t);
  });
});

describe('FastCGI, php-fpm', { skip: needs('php-fpm') }, () => {
  const scripts = { 'index.php': '<?php echo "pid ", getmypid(), "\\n";' };
  const params = (root: string): string =>
    `fastcgi_param SCRIPT_FILENAME ${root}/index.php; fastcgi_param REQUEST_METHOD $request_method;`;
  /** php-fpm does not count connections; the kernel's table does: what is closed waits, what is open is established. */
  const seen = (port: number): number => {
    const waiting = timeWait(port);
    return waiting.listener + waiting.connector + established(port);
  };
  const about = (found: number): number =>
    found >= REQUESTS - SLACK && found <= REQUESTS ? REQUESTS : found;

  test('neither directive: a connection each, closed by the FastCGI side', async (t) => {
    const rig = rigFor(t);
    const php = await startPhpFpm(rig, scripts);
    const proxy = await startProxy(rig, { http: fastcgi(php.address, 'neither', params(php.root)) });
    await run(proxy, '/');
    assertEachClosedBy('backend', outcome(php.port, about(seen(php.port))), t);
  });

  test('fastcgi_keep_conn alone: a connection each, closed by the proxy', async (t) => {
    const rig = rigFor(t);
    const php = await startPhpFpm(rig, scripts);
    const proxy = await startProxy(rig, { http: fastcgi(php.address, 'keep_conn', params(php.root)) });
    await run(proxy, '/');
    assertEachClosedBy('proxy', outcome(php.port, about(seen(php.port))), t);
  });

  test('fastcgi_keep_conn and keepalive: one connection and no TIME_WAIT', async (t) => {
    const rig = rigFor(t);
    const php = await startPhpFpm(rig, scripts);
    const proxy = await startProxy(rig, { http: fastcgi(php.address, 'both', params(php.root)) });
    await run(proxy, '/');
    assertOneConnection(outcome(php.port, seen(php.port)), t);
  });

  test('over a unix socket one worker process answers everything', async (t) => {
    const rig = rigFor(t);
    const php = await startPhpFpm(rig, scripts, { unix: true, children: 2 });
    const proxy = await startProxy(rig, { http: fastcgi(php.address, 'both', params(php.root)) });
    const pids = new Set<string>();
    const wire = await proxy.connect();
    for (let i = 0; i < REQUESTS; i++) {
      pids.add((await wire.request('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).body);
    }
    assert.equal(pids.size, 1);
  });
});

describe('HTTP', () => {
  /**
   * Closes after an HTTP/1.0 request and after `Connection: close`, as HTTP servers do. The close ends the body then:
   * with a length, the proxy would close as soon as it has the last byte, and which side is first would be chance.
   */
  const closing: Handler = (request, wire) => {
    const keep = request.line.endsWith('/1.1') && !/close/i.test(request.headers.get('connection') ?? '');
    if (keep) {
      return reply('hello');
    }
    wire.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello');
    return undefined;
  };

  async function start(t: TestContext, location: (port: number) => string, upstream = '') {
    const rig = rigFor(t);
    const backend = await startBackend(rig, closing, await freePort());
    const proxy = await startProxy(rig, {
      http: `${upstream.replace('BACKEND', `127.0.0.1:${backend.port}`)}
        server { listen 127.0.0.1:%port%; location / { ${location(backend.port)} } }`,
    });
    return { backend, proxy };
  }

  test('proxy_http_version 1.0: a connection each, closed by the backend', async (t) => {
    const { backend, proxy } = await start(
      t,
      () => 'proxy_http_version 1.0; proxy_pass http://pool;',
      'upstream pool { server BACKEND; keepalive 4; }',
    );
    await run(proxy, '/');
    assertEachClosedBy('backend', outcome(backend.port, backend.accepted), t);
    assert.equal(backend.requests[0]?.headers.get('connection'), undefined);
  });

  test('HTTP/1.1 without an upstream block: a connection each, closed by the proxy', async (t) => {
    const { backend, proxy } = await start(t, (port) => `proxy_pass http://127.0.0.1:${port};`);
    await run(proxy, '/');
    assertEachClosedBy('proxy', outcome(backend.port, backend.accepted), t);
  });

  test('an upstream block: one connection and no TIME_WAIT, by the defaults alone', async (t) => {
    const { backend, proxy } = await start(
      t,
      () => 'proxy_pass http://pool;',
      'upstream pool { server BACKEND; }',
    );
    await run(proxy, '/');
    assertOneConnection(outcome(backend.port, backend.accepted), t);
    assert.equal(backend.requests.length, REQUESTS);
  });

  test('Connection: close set by hand: a connection each, closed by the backend', async (t) => {
    const { backend, proxy } = await start(
      t,
      () => 'proxy_set_header Connection close; proxy_pass http://pool;',
      'upstream pool { server BACKEND; }',
    );
    await run(proxy, '/');
    assertEachClosedBy('backend', outcome(backend.port, backend.accepted), t);
  });
});

describe('HTTP/2 and gRPC', () => {
  async function start(t: TestContext, location: (port: number) => string) {
    const rig = rigFor(t);
    const answer: Answering = ({ id }, peer) => {
      peer.answer(id, 'hello');
    };
    const backend = await startH2Backend(rig, answer, await freePort());
    const { port } = backend;
    const proxy = await startProxy(rig, {
      http: `upstream pool { server 127.0.0.1:${port}; }
        server { listen 127.0.0.1:%port%; location / { ${location(port)} } }`,
    });
    return { backend, proxy };
  }

  for (const [name, pass] of [
    ['proxy_http_version 2', 'proxy_http_version 2; proxy_pass http://'],
    ['grpc_pass', 'grpc_pass '],
  ] as const) {
    test(`${name} without an upstream block: a connection each, closed by the proxy`, async (t) => {
      const { backend, proxy } = await start(t, (port) => `${pass}127.0.0.1:${port};`);
      await run(proxy, '/');
      assertEachClosedBy('proxy', outcome(backend.port, backend.accepted), t);
    });

    test(`${name} and an upstream block: one connection and no TIME_WAIT`, async (t) => {
      const { backend, proxy } = await start(t, () => `${pass}pool;`);
      await run(proxy, '/');
      assertOneConnection(outcome(backend.port, backend.accepted), t);
    });
  }
});
