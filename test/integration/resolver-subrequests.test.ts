/** Names that are looked up for subrequests, and what becomes of a wait when the program ends. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type Backend, reply, startBackend } from '../kit/http-backend.ts';
import { startNameServer, type TestNameServer } from '../kit/name-server.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig, rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';
import { Wire } from '../kit/wire.ts';

const rig = new Rig();
let proxy: Subject;
let names: TestNameServer;
let backend: Backend;

const answers = async ({ name }: { readonly name: string }) => {
  if (name.startsWith('silent')) return undefined;
  if (name === 'gone.test') return { code: 3 };
  if (name === 'slow.test') await new Promise((done) => setTimeout(done, 100));
  return { records: ['0 A 127.0.0.1'] };
};

before(async () => {
  names = await startNameServer(rig, answers);
  backend = await startBackend(rig, ({ target }) =>
    target.startsWith('/deny') ? reply('', '', '403 No') : reply(`[${target.replace(/\?.*/, '')}]`),
  );
  const pass = (name: string): string => `set $to ${name}; proxy_pass http://$to:${backend.port};`;
  proxy = await startProxy(rig, {
    http: `
      resolver 127.0.0.1:${names.port} ipv6=off;
      resolver_timeout 300ms;
      server {
        listen 127.0.0.1:%port%;
        root %dir%;
        location /slow { ${pass('slow.test')} }
        location /fast { ${pass('fast.test')} }
        location /gone { ${pass('gone.test')} }
        location /silent { ${pass('silent.test')} }
        location /deny { ${pass('slow.test')} }
        location /page { ssi on; ssi_types *; }
        location /added { add_before_body /slow; add_after_body /fast; addition_types *; ${pass('slow.test')} }
        location /allowed { auth_request /slow/auth; ${pass('fast.test')} }
        location /denied { auth_request /deny; ${pass('fast.test')} }
        location /failed { auth_request /gone; ${pass('fast.test')} }
        location /mirrored { mirror /slow/mirror; ${pass('fast.test')} }
        location /lost { mirror /silent/mirror; ${pass('fast.test')} }
        error_page 502 = @other;
        location @other { return 200 other; }
      }`,
  });
  const include = (path: string): string => `<!--#include virtual="${path}" -->`;
  writeFileSync(
    join(rig.dir, 'page'),
    `(${include('/slow')}${include('/fast')}${include('/gone')}${include('/slow')})`,
  );
});
after(() => rig.close());

describe('names of subrequests', { concurrency: true }, () => {
  for (const [target, status, body] of [
    ['/page', 200, '([/slow][/fast]other[/slow])'],
    ['/added', 200, '[/slow][/added][/fast]'],
    ['/allowed', 200, '[/allowed]'],
    ['/denied', 403, undefined],
    ['/mirrored', 200, '[/mirrored]'],
    ['/lost', 200, '[/lost]'],
    ['/gone', 200, 'other'],
    ['/silent', 200, 'other'],
  ] as const) {
    test(target, async () => {
      const found = await proxy.get(target);
      assert.equal(found.status, status);
      if (body !== undefined) assert.equal(found.body, body);
    });
  }

  test('/failed', async () => {
    assert.equal((await proxy.get('/failed')).status, 200);
    await proxy.logged(
      /gone\.test could not be resolved \(3: Host not found\), client: .*subrequest: "\/gone"/,
    );
  });
});

for (const signal of ['SIGQUIT', 'SIGTERM'] as const) {
  test(`a wait does not keep the program from ending on ${signal}`, async (t) => {
    const own = rigFor(t);
    const silent = await startNameServer(own, answers);
    const subject = await startProxy(own, {
      http: `resolver 127.0.0.1:${silent.port} ipv6=off; resolver_timeout 500ms;
        upstream u { zone z 64k; server silent2.test:80 resolve; }
        server { listen 127.0.0.1:%port%;
          location / { set $to silent.test; proxy_pass http://$to; }
          location /u { proxy_pass http://u; } }`,
    });
    // Not one of the subject's own, which are closed when it is stopped.
    const wire = await Wire.connect(subject.port());
    own.defer(() => wire.close());
    await wire.flush('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => silent.asked('silent.test') > 0, 'the query');
    const stopped = subject.stop(signal);
    // A worker that drains answers the request first.
    if (signal === 'SIGQUIT') assert.equal((await wire.readMessage()).status, 502);
    await stopped;
  });
}
