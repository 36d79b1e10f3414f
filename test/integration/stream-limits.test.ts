/** `limit_conn` of `stream`: sessions at the same time, in all workers together. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;

before(async () => {
  const backend = await startScript(rig, async (wire) => {
    await wire.flush('hello');
    await wire.readToEnd();
    wire.close();
  });
  const { conf = '' } = streamConf(`
    log_format s '$server_port $status $limit_conn_status';
    access_log %dir%/access.log s;
    limit_conn_zone $binary_remote_addr zone=clients:1m;
    limit_conn_zone $server_port zone=ports:1m;
    limit_conn_zone $nothing zone=nothing:1m;
    limit_conn_zone $long zone=long:1m;
    map $server_port $nothing { default ''; }
    map $server_port $long { default '${'x'.repeat(256)}'; }
    server { listen 127.0.0.1:%port:one%; limit_conn ports 1; proxy_pass 127.0.0.1:${backend.port}; }
    server {
      listen 127.0.0.1:%port:both%;
      limit_conn clients 5;
      limit_conn ports 1;
      limit_conn_log_level info;
      proxy_pass 127.0.0.1:${backend.port};
    }
    server {
      listen 127.0.0.1:%port:dry%;
      limit_conn ports 1;
      limit_conn_dry_run on;
      proxy_pass 127.0.0.1:${backend.port};
    }
    server { listen 127.0.0.1:%port:free%; limit_conn nothing 1; return '$limit_conn_status.'; }
    server { listen 127.0.0.1:%port:long%; limit_conn long 1; return '$limit_conn_status.'; }
    server { listen 127.0.0.1:%port:passed%; limit_conn ports 1; return '$limit_conn_status.'; }`);
  proxy = await startProxy(rig, { conf: conf.replace('worker_processes 1;', 'worker_processes 2;') });
});
after(() => rig.close());

const said = async (name: string): Promise<string> => {
  const wire = await proxy.connect(name);
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

const accessLogged = (line: string): Promise<void> =>
  until(
    () => readFileSync(join(proxy.dir, 'access.log'), 'latin1').includes(`${line}\n`),
    `"${line}" in the access log`,
  );

test('one more than may be is refused with 503; one that is over makes room', async () => {
  const port = proxy.port('one');
  const first = await proxy.connect('one');
  await first.expect('hello');
  assert.equal(await said('one'), '');
  await proxy.logged(
    new RegExp(
      `\\[error\\] \\d+#\\d+: \\*\\d+ limiting connections by zone "ports" while initializing session, client: 127\\.0\\.0\\.1, server: 127\\.0\\.0\\.1:${port}\\n`,
    ),
  );
  await accessLogged(`${port} 503 REJECTED`);
  first.close();
  await accessLogged(`${port} 200 PASSED`);
  const next = await proxy.connect('one');
  await next.expect('hello');
  next.close();
});

test('a session that one zone refuses counts in none', async () => {
  const first = await proxy.connect('both');
  await first.expect('hello');
  for (let i = 0; i < 6; i++) assert.equal(await said('both'), '');
  await proxy.logged(/\[info\] .*limiting connections by zone "ports" while /);
  assert.doesNotMatch(proxy.log, /zone "clients"/);
  first.close();
});

test('a dry run says what it would do', async () => {
  const first = await proxy.connect('dry');
  await first.expect('hello');
  const second = await proxy.connect('dry');
  await second.expect('hello');
  await proxy.logged(/\[error\] .*limiting connections, dry run, by zone "ports" while /);
  second.close();
  await accessLogged(`${proxy.port('dry')} 200 REJECTED_DRY_RUN`);
  first.close();
});

test('an empty key is not counted, nor one that is too long', async () => {
  assert.equal(await said('free'), '.');
  assert.equal(await said('long'), '.');
  await proxy.logged(/\[error\] .*the value of the "\$long" key is more than 255 bytes: "x{256}" while /);
  assert.equal(await said('passed'), 'PASSED.');
});
