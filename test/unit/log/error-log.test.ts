import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { ErrorLogConf, ErrorLogSpec } from '../../../src/log/error-log-directive.ts';
import { ALERT, CRIT, DEBUG, EMERG, ERROR, INFO, NOTICE, WARN } from '../../../src/log/levels.ts';
import { MemoryLog } from '../../../src/log/memory-log.ts';
import { LogRegistry } from '../../../src/log/registry.ts';

let folder = '';
let logs: LogRegistry;
const path = (name: string): string => join(folder, name);
const read = (name: string): string => readFileSync(path(name), 'latin1');
const spec = (name: string, level: number, json = false): ErrorLogSpec => ({
  target: { kind: 'file', path: path(name) },
  level,
  json,
});

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-log-'));
  logs = new LogRegistry({ kind: 'file', path: path('default.log') }, undefined);
});
afterEach(() => {
  logs.close();
  rmSync(folder, { recursive: true });
});

describe('an error log', () => {
  it("writes nginx's lines", () => {
    const log = logs.errorLogTo([spec('e.log', INFO)]);
    assert.equal(log.level, INFO);
    log.write(ERROR, 'a message');
    log.write(WARN, 'about a connection', 17);
    const [first, second, ...rest] = read('e.log').split('\n');
    assert.match(
      first ?? '',
      new RegExp(`^\\d{4}/\\d\\d/\\d\\d \\d\\d:\\d\\d:\\d\\d \\[error\\] ${process.pid}#0: a message$`),
    );
    assert.match(second ?? '', new RegExp(` \\[warn\\] ${process.pid}#0: \\*17 about a connection$`));
    assert.deepEqual(rest, ['']);
  });

  it('gives each destination what its level takes', async () => {
    const log = logs.errorLogTo([spec('crit.log', CRIT), spec('debug.log', DEBUG)]);
    assert.equal(log.level, DEBUG);
    for (const level of [EMERG, ALERT, CRIT, ERROR, WARN, NOTICE, INFO, DEBUG]) log.write(level, 'm');
    await turn();
    const levels = (name: string): string[] =>
      [...read(name).matchAll(/\[(\w+)\]/g)].map(([, level = '']) => level);
    assert.deepEqual(levels('crit.log'), ['emerg', 'alert', 'crit']);
    assert.deepEqual(levels('debug.log'), [
      'emerg',
      'alert',
      'crit',
      'error',
      'warn',
      'notice',
      'info',
      'debug',
    ]);
  });

  it('cuts a line at 2048 bytes', () => {
    logs.errorLogTo([spec('e.log', INFO)]).write(ERROR, 'x'.repeat(5000));
    assert.equal(statSync(path('e.log')).size, 2048);
    assert.equal(read('e.log').at(-1), '\n');
  });

  it('keeps bytes as they are, and text beyond them as UTF-8', () => {
    const log = logs.errorLogTo([spec('e.log', INFO)]);
    log.write(ERROR, 'bytes \xc3\xa9\xff');
    log.write(ERROR, 'text \u20ac');
    assert.match(read('e.log'), /bytes \xc3\xa9\xff\n.*text \xe2\x82\xac\n/);
  });

  it("writes pino's JSON where asked for, beside plain lines", async () => {
    const log = logs.errorLogTo([spec('json.log', INFO, true), spec('plain.log', INFO)]);
    log.write(ERROR, 'a "message"\xc3\xa9', 5);
    log.write(NOTICE, 'another');
    await turn();
    const [first, second] = readFileSync(path('json.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      { ...first, time: '' },
      { level: 'error', severity: 50, time: '', pid: process.pid, connection: 5, msg: 'a "message"é' },
    );
    assert.match(first.time, /^\d{4}-\d\d-\d\dT/);
    assert.deepEqual([second.level, second.msg, 'connection' in second], ['notice', 'another', false]);
    assert.match(read('plain.log'), /\[error\].*\*5 a "message"/);
  });

  it('takes every level for a connection that is debugged', async () => {
    const log = logs.errorLogTo([spec('e.log', ERROR)]);
    const verbose = log.verbose();
    assert.deepEqual([log.level, verbose.level], [ERROR, DEBUG]);
    verbose.write(DEBUG, 'seen', 3);
    log.write(DEBUG, 'unseen');
    await turn();
    assert.match(read('e.log'), /\[debug\] .*\*3 seen\n$/);
  });

  it('shows graver messages where the program was started, until told not to', () => {
    const shown: string[] = [];
    logs.console = (level, message) => shown.push(`${level} ${message}`);
    const log = logs.errorLogTo([spec('e.log', DEBUG)]);
    log.write(WARN, 'w');
    log.write(NOTICE, 'n');
    logs.console = undefined;
    log.write(EMERG, 'e');
    assert.deepEqual(shown, [`${WARN} w`]);
  });
});

describe('the logs of a process', () => {
  it('open a path once, whoever writes to it', () => {
    const file = { kind: 'file', path: path('one.log') } as const;
    assert.equal(logs.open(file), logs.file({ ...file }));
    const conf: ErrorLogConf = { specs: [spec('one.log', WARN)], main: false };
    assert.equal(logs.errorLog(conf), logs.errorLog(conf));
  });

  it('have the default file where the main block names none, and nowhere else', () => {
    const ring: ErrorLogSpec = { target: { kind: 'memory', bytes: 4096 }, level: DEBUG, json: false };
    logs.errorLog({ specs: [ring], main: false });
    assert.equal(existsSync(path('default.log')), false);
    const log = logs.errorLog({ specs: [ring], main: true });
    log.write(ERROR, 'in both');
    log.write(INFO, 'in memory');
    assert.match(read('default.log'), /in both\n$/);
  });

  it("say in nginx's words why a file cannot be opened", () => {
    const file = path('missing/e.log');
    assert.throws(() => logs.file({ kind: 'file', path: file }), {
      message: `open() "${file}" failed (2: No such file or directory)`,
    });
  });

  it('make files that all may read', () => {
    logs.file({ kind: 'file', path: path('new.log') });
    assert.equal(statSync(path('new.log')).mode & 0o777, 0o644 & ~process.umask());
  });

  it('give new and rotated files to the owner', { skip: process.getuid?.() !== 0 }, () => {
    const owned = new LogRegistry({ kind: 'stderr' }, { uid: 12345, gid: 12346 });
    const log = owned.errorLogTo([spec('own.log', INFO)]);
    assert.deepEqual([statSync(path('own.log')).uid, statSync(path('own.log')).gid], [12345, 12346]);
    log.write(ERROR, 'before');
    renameSync(path('own.log'), path('own.log.1'));
    owned.reopen(log);
    log.write(ERROR, 'after');
    assert.equal(statSync(path('own.log')).uid, 12345);
    assert.match(read('own.log'), /^\S+ \S+ \[error\] \S+ after\n$/);
    assert.match(read('own.log.1'), /before\n$/);
    chmodSync(path('own.log'), 0o400);
    owned.reopen(log);
    assert.equal(statSync(path('own.log')).mode & 0o777, 0o600);
    owned.close();
  });

  it('keep the old file when the new one cannot be opened', () => {
    const log = logs.errorLogTo([spec('e.log', INFO)]);
    log.write(NOTICE, 'before');
    renameSync(folder, `${folder}-moved`);
    const errors: string[] = [];
    logs.reopen({ level: DEBUG, write: (level, message) => errors.push(`${level} ${message}`) });
    log.write(ERROR, 'after');
    renameSync(`${folder}-moved`, folder);
    assert.deepEqual(errors, [`${EMERG} open() "${path('e.log')}" failed (2: No such file or directory)`]);
    assert.match(read('e.log'), /before\n.*after\n$/);
  });

  it('write what is held when flushed, and nothing once closed', () => {
    const log = logs.errorLogTo([spec('e.log', DEBUG)]);
    log.write(DEBUG, 'held');
    assert.equal(read('e.log'), '');
    logs.flush();
    assert.match(read('e.log'), /held\n$/);
    logs.close();
    log.write(ERROR, 'too late');
    assert.doesNotMatch(read('e.log'), /too late/);
  });
});

describe('a ring of memory', () => {
  it('holds the newest lines', () => {
    const ring = new MemoryLog(20);
    ring.write('one');
    assert.equal(ring.contents(), 'one\n');
    for (let i = 0; i < 10; i++) ring.write(`line ${i}`);
    assert.equal(ring.contents(), `${'line 7\nline 8\nline 9\n'.slice(-20)}`);
  });
});
