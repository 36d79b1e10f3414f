import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { load } from '../../../src/config/loader.ts';
import { recorded } from '../../../src/config/source.ts';
import { coreModule } from '../../../src/process/core-module.ts';
import { eventsKey, eventsModule } from '../../../src/process/events-module.ts';
import {
  checkConnections,
  type Settings,
  settingsOf,
  workerEnvironment,
} from '../../../src/process/settings.ts';
import { isRoot } from '../../../src/process/user.ts';

const read = (text: string) =>
  load({
    file: '/t.conf',
    prefix: '/p/',
    confPrefix: '/',
    modules: [coreModule, eventsModule],
    testing: true,
    source: recorded({ files: [{ path: '/t.conf', text }], globs: [], hosts: [] }),
  });

const settings = (text: string): Settings => {
  const { main, errors } = read(`${isRoot() ? 'user root;' : ''} ${text}`);
  assert.deepEqual(errors, []);
  return settingsOf(main, '/run/x.pid');
};

describe('main and events directives', () => {
  it('have nginx defaults', () => {
    const { user, ...rest } = settings('events { }');
    assert.equal(user?.name, isRoot() ? 'root' : undefined);
    assert.deepEqual(rest, {
      daemon: true,
      master: true,
      workers: 1,
      pidFile: '/run/x.pid',
      rlimitNofile: undefined,
      rlimitCore: undefined,
      priority: 0,
      shutdownTimeout: 0,
      workingDirectory: undefined,
      inheritObjects: true,
      environment: [],
      connections: 512,
      transparent: false,
    });
  });

  it('are read', () => {
    const read = settings(`daemon off; master_process off; worker_processes 3; pid logs/a.pid;
      worker_rlimit_nofile 1000; worker_rlimit_core 1m; worker_priority -5; worker_shutdown_timeout 1m;
      working_directory /tmp; env A; env B=c; events { worker_connections 10; debug_connection 10.0.0.0/8; }`);
    assert.equal(read.daemon, false);
    assert.equal(read.master, false);
    assert.equal(read.workers, 3);
    assert.equal(read.pidFile, '/p/logs/a.pid');
    assert.equal(read.rlimitNofile, 1000);
    assert.equal(read.rlimitCore, 1 << 20);
    assert.equal(read.priority, -5);
    assert.equal(read.shutdownTimeout, 60_000);
    assert.equal(read.workingDirectory, '/tmp');
    assert.deepEqual(read.environment, ['A', 'B=c']);
    assert.equal(read.connections, 10);
  });

  it('take worker_processes auto', () =>
    assert.ok(settings('worker_processes auto; events { }').workers >= 1));

  const wrong: readonly (readonly [string, string])[] = [
    ['worker_processes x;', '"worker_processes" directive invalid value in /t.conf:1'],
    ['worker_processes 1; worker_processes 2;', '"worker_processes" directive is duplicate in /t.conf:1'],
    ['daemon maybe;', 'invalid value "maybe" in "daemon" directive, it must be "on" or "off" in /t.conf:1'],
    ['worker_priority x;', '"worker_priority" directive invalid number in /t.conf:1'],
    ['events { worker_connections x; }', 'invalid number "x" in /t.conf:1'],
    ['events { } events { }', '"events" directive is duplicate in /t.conf:1'],
    ['events { debug_connection no.where; }', 'host not found in debug_connection "no.where" in /t.conf:1'],
  ];
  for (const [text, message] of wrong) {
    it(`refuse ${text}`, () => assert.equal(read(text).errors[0]?.message, message));
  }

  it('refuse a user that is not there', { skip: !isRoot() }, () => {
    assert.equal(read('user nobody-here;').errors[0]?.message, 'getpwnam("nobody-here") failed in /t.conf:1');
    assert.equal(read('user root no-group;').errors[0]?.message, 'getgrnam("no-group") failed in /t.conf:1');
  });

  it('say which dynamic module cannot be loaded', () => {
    const [error] = read('load_module modules/ngx_http_js_module.so;').errors;
    assert.match(
      error?.message ?? '',
      /^dynamic modules cannot be loaded: "modules\/ngx_http_js_module\.so"/,
    );
  });

  it('want an events block', () => {
    const { main } = read(isRoot() ? 'user root;' : '');
    assert.throws(() => settingsOf(main, ''), { message: 'no "events" section in configuration' });
  });

  it('want a connection for each listening socket and one more', () => {
    const few = settings('events { worker_connections 2; }');
    checkConnections(few, 1);
    assert.throws(() => checkConnections(few, 2), {
      message: '2 worker_connections are not enough for 2 listening sockets',
    });
  });

  it('carry the clients to debug', () => {
    const { main } = read(
      'events { debug_connection 10.0.0.0/8; debug_connection ::1; debug_connection unix:; }',
    );
    const debug = main.find(eventsKey)?.debug;
    const cases: readonly (readonly [string | undefined, boolean])[] = [
      ['10.1.2.3', true],
      ['11.1.2.3', false],
      ['::1', true],
      ['::2', false],
      [undefined, true],
    ];
    for (const [address, expected] of cases) assert.equal(debug?.has(address), expected, address);
  });
});

describe('the environment of workers', () => {
  const outer = { TZ: 'UTC', A: '1', B: '2' };
  const cases: readonly (readonly [readonly string[], Record<string, string>])[] = [
    [[], { TZ: 'UTC' }],
    [['A'], { TZ: 'UTC', A: '1' }],
    [['B=x=y', 'MISSING'], { TZ: 'UTC', B: 'x=y' }],
    [['TZ=CET'], { TZ: 'CET' }],
  ];
  for (const [listed, expected] of cases) {
    it(`with ${JSON.stringify(listed)}`, () => assert.deepEqual(workerEnvironment(listed, outer), expected));
  }
});
