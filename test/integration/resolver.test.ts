/** `resolver`: names that variables make are looked up for each request. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startFcgiBackend } from '../kit/fcgi-backend.ts';
import { answer } from '../kit/fcgi-records.ts';
import { type Backend, reply, startBackend } from '../kit/http-backend.ts';
import { startNameServer, type TestNameServer, table } from '../kit/name-server.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let names: TestNameServer;
let backend: Backend;
let release: () => void = () => {};
const held = new Promise<void>((done) => {
  release = done;
});

before(async () => {
  const rows = table({
    'app.test': ['A 127.0.0.1'],
    'alias.test': ['CNAME app.test'],
    // Nobody listens at the first of them.
    'two.test': ['A 127.0.0.9', 'A 127.0.0.1'],
    'refused.test': { code: 5 },
  });
  names = await startNameServer(rig, async (query) => {
    if (query.name === 'silent.test') return undefined;
    if (query.name === 'held.test') {
      await held;
      return { records: ['A 127.0.0.1'] };
    }
    return rows(query);
  });
  backend = await startBackend(rig, ({ target, headers, body }) =>
    reply(`${target} ${headers.get('host')} ${body}`),
  );
  const fcgi = await startFcgiBackend(rig, ({ params }) =>
    answer(`Content-Type: text/plain\r\n\r\n${params.get('SCRIPT_NAME')}`),
  );
  proxy = await startProxy(rig, {
    http: `
      resolver 127.0.0.1:${names.port} ipv6=off;
      resolver_timeout 500ms;
      proxy_next_upstream_timeout 5s;
      server {
        listen 127.0.0.1:%port%;
        location /app { proxy_pass http://$arg_name:${backend.port}; add_header X-Peer $upstream_addr always; }
        location /fixed { proxy_pass http://$arg_name:${backend.port}/other; }
        location /stream { proxy_pass http://$arg_name:${backend.port}; proxy_request_buffering off; }
        location /ignoring { proxy_pass http://$arg_name:${backend.port}; proxy_ignore_client_abort on; }
        location /fastcgi { fastcgi_pass $arg_name:${fcgi.port}; fastcgi_param SCRIPT_NAME $uri; }
        location /noport { fastcgi_pass $arg_name; }
      }`,
  });
});
after(() => rig.close());

const NAME_ERROR =
  /^[^\n]*\[error\] [^\n]*\*\d+ (\S+ could not be resolved \(\d+: [^)]+\)), client: 127\.0\.0\.1, server: , request: "GET [^"]+", host: "localhost"$/gm;

describe('resolver', () => {
  for (const name of ['app.test', 'APP.test', 'app.test.', 'alias.test']) {
    test(`${name} is found`, async () => {
      const found = await proxy.get(`/app?name=${name}`);
      assert.equal(found.status, 200);
      assert.equal(found.headers.get('x-peer'), `127.0.0.1:${backend.port}`);
      assert.equal(found.body, `/app?name=${name} ${name}:${backend.port} `);
    });
  }

  test('a name is asked for once', () => {
    assert.equal(names.asked('app.test'), 1);
  });

  test('a literal address needs no query', async () => {
    const before = names.queries.length;
    assert.equal((await proxy.get('/app?name=127.0.0.1')).status, 200);
    assert.equal(names.queries.length, before);
  });

  test('the URI may be given', async () => {
    assert.match((await proxy.get('/fixed?name=app.test')).body, /^\/other /);
  });

  test('all addresses are tried', async () => {
    const peers = new Set<string | undefined>();
    for (let i = 0; i < 20; i++) {
      const found = await proxy.get('/app?name=two.test');
      assert.equal(found.status, 200);
      peers.add(found.headers.get('x-peer'));
    }
    const [good, bad] = [`127.0.0.1:${backend.port}`, `127.0.0.9:${backend.port}`];
    assert.deepEqual([...peers].sort(), [good, `${bad}, ${good}`]);
  });

  for (const [name, message] of [
    ['unknown.test', 'unknown.test could not be resolved (3: Host not found)'],
    ['refused.test', 'refused.test could not be resolved (5: Operation refused)'],
    ['silent.test', 'silent.test could not be resolved (110: Operation timed out)'],
  ] as const) {
    test(`502 and why: ${message}`, async () => {
      const from = proxy.log.length;
      const failed = await proxy.get(`/app?name=${name}`);
      assert.equal(failed.status, 502);
      assert.equal(failed.headers.get('x-peer'), undefined);
      const log = await proxy.logged({ includes: message, from });
      assert.deepEqual(
        [...log.matchAll(NAME_ERROR)].map(([, text]) => text),
        [message],
      );
    });
  }

  test('a body is read first, or streamed once the name is known', async () => {
    for (const location of ['/app', '/stream']) {
      const wire = await proxy.connect();
      const answer = await wire.request(
        `POST ${location}?name=two.test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello`,
      );
      assert.match(answer.body, / hello$/);
    }
  });

  test('a client that goes away is let go of, unless its going is ignored', async () => {
    const gone = await proxy.connect();
    await gone.flush('GET /app?name=held.test HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const ignored = await proxy.connect();
    await ignored.flush('GET /ignoring?name=held.test HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => names.asked('held.test') > 0, 'the query');
    ignored.close();
    gone.close();
    await proxy.logged(/client prematurely closed connection, client/);
    release();
    await until(() => backend.requests.some(({ target }) => target.startsWith('/ignoring')), 'the request');
    assert.equal((await proxy.get('/app?name=held.test&last')).status, 200);
    const targets = backend.requests.map(({ target }) => target);
    assert.ok(!targets.includes('/app?name=held.test'), targets.join());
  });

  test('FastCGI passes to names too', async () => {
    assert.equal((await proxy.get('/fastcgi?name=app.test')).body, '/fastcgi');
    assert.equal((await proxy.get('/fastcgi?name=unknown.test')).status, 502);
    const from = proxy.log.length;
    assert.equal((await proxy.get('/noport?name=app.test')).status, 500);
    await proxy.logged({ includes: 'no port in upstream "app.test"', from });
  });
});

test('without a resolver there is 502', async (t) => {
  const own = new Rig();
  t.after(() => own.close());
  const subject = await startProxy(own, {
    http: `server { listen 127.0.0.1:%port%; location / { proxy_pass http://$arg_name:80; } }`,
  });
  assert.equal((await subject.get('/?name=app.test')).status, 502);
  await subject.logged(/\[error\] .*no resolver defined to resolve app\.test, client: /);
});
