/** `allow` and `deny` of `stream`: who may come in. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  proxy = await startProxy(
    rig,
    streamConf(`
      log_format s '$server_port $status';
      access_log %dir%/access.log s;
      deny 127.0.0.0/8;
      allow unix:;
      server { listen 127.0.0.1:%port:outer%; return in; }
      server { listen 127.0.0.1:%port:own%; deny 10.0.0.0/8; allow 127.0.0.1; deny all; return in; }
      server { listen 127.0.0.1:%port:neither%; deny 10.0.0.0/8; return in; }
      server { listen unix:%dir%/open.sock; return in; }
      server { listen unix:%dir%/shut.sock; deny all; return in; }`),
  );
});
after(() => rig.close());

const said = async (name: string): Promise<string> => {
  const wire = await proxy.connect(name);
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

const saidOverUnix = async (name: string): Promise<string> => {
  const socket = net.connect(join(proxy.dir, name));
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  return text;
};

test('a server without rules has those outside; the session ends with 403', async () => {
  assert.equal(await said('outer'), '');
  const port = proxy.port('outer');
  await proxy.logged(
    new RegExp(
      `\\[error\\] \\d+#\\d+: \\*\\d+ access forbidden by rule while initializing session, client: 127\\.0\\.0\\.1, server: 127\\.0\\.0\\.1:${port}\\n`,
    ),
  );
  const path = join(proxy.dir, 'access.log');
  await until(() => readFileSync(path, 'latin1').includes(`${port} 403\n`), 'the line of the session');
});

test('the first rule that fits decides; without one a client may come in', async () => {
  assert.equal(await said('own'), 'in');
  assert.equal(await said('neither'), 'in');
});

test('clients of unix sockets', async () => {
  assert.equal(await saidOverUnix('open.sock'), 'in');
  assert.equal(await saidOverUnix('shut.sock'), '');
});
