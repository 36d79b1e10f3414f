/** `client_body_early_read`: the body is there before the first phase. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
before(async () => {
  proxy = await startProxy(rig, {
    http: `
      client_max_body_size 10;
      server {
        listen 127.0.0.1:%port%;
        client_body_early_read $arg_early;
        set $seen "[$request_body]";
        location / { return 200 $seen; }
      }`,
  });
});
after(() => rig.close());

const post = async (target: string, body: string): Promise<[number, string]> => {
  const wire = await proxy.connect();
  const got = await wire.request(
    `POST ${target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return [got.status, got.body];
};

test('read before the rewrites of the server', async () => {
  assert.deepEqual(await post('/?early=1', 'hello'), [200, '[hello]']);
});

test('not where its values say no', async () => {
  assert.deepEqual(await post('/?early=0', 'hello'), [200, '[]']);
});

test('too large', async () => {
  assert.equal((await post('/?early=1', 'x'.repeat(11)))[0], 413);
  await proxy.logged(/client intended to send too large body: 11 bytes/);
});

test('in chunks, and the connection goes on', async () => {
  const wire = await proxy.connect();
  const head = 'POST /?early=1 HTTP/1.1\r\nHost: localhost\r\n';
  const first = await wire.request(`${head}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`);
  assert.equal(first.body, '[abc]');
  assert.equal((await wire.request('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).body, '[]');
});
