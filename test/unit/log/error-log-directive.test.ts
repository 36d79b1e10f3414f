import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Args, type Context, Scope } from '../../../src/config/contract.ts';
import { builtInPaths } from '../../../src/config/loader.ts';
import {
  defaultErrorLog,
  type ErrorLogConf,
  errorLogModule,
  errorLogSpecs,
} from '../../../src/log/error-log-directive.ts';
import { CRIT, DEBUG, ERROR, INFO } from '../../../src/log/levels.ts';

const place = { file: 'nginx.conf', line: 1, column: 1 };
const row = errorLogModule.directives.error_log;

const parse = (text: string, own?: ErrorLogConf, context: Context = 'main'): ErrorLogConf => {
  const load = {
    prefix: '/srv/',
    confPrefix: '/srv/conf/',
    builtIn: builtInPaths('/srv/'),
    testing: true,
    object: () => undefined,
    addresses: () => [],
    warn: () => {},
  };
  const fail = (reason: string): never => {
    throw new Error(reason);
  };
  const texts = text.split(' ');
  const args: Args = {
    name: 'error_log',
    words: texts.map((word) => ({ ...place, text: word, quoted: false })),
    texts,
    scope: new Scope(context, undefined, [], place, load),
    place,
    fail,
    failDirective: fail,
    warn: fail,
  };
  return row.parser.parse(args, own);
};
const file = (path: string) => ({ kind: 'file', path }) as const;

describe('error_log', () => {
  const levels: readonly (readonly [text: string, level: number])[] = [
    ['e.log', ERROR],
    ['e.log info', INFO],
    ['e.log debug', DEBUG],
    ['e.log debug_http debug_core', DEBUG],
  ];
  for (const [text, level] of levels) {
    it(`${text} is level ${level}`, () =>
      assert.deepEqual(parse(text).specs, [{ target: file('/srv/e.log'), level, json: false }]));
  }

  const refused: readonly (readonly [text: string, message: string])[] = [
    ['e.log foo', 'invalid log level "foo"'],
    ['e.log stderr', 'invalid log level "stderr"'],
    ['e.log info warn', 'duplicate log level "warn"'],
    ['e.log debug_http info', 'duplicate log level "info"'],
    ['e.log info debug_http', 'invalid log level "debug_http"'],
    ['memory:12', 'invalid buffer size "12"'],
    ['memory:', 'invalid buffer size ""'],
    ['syslog:server=a:b', 'invalid port in syslog server "a:b"'],
  ];
  for (const [text, message] of refused)
    it(`refuses ${text}`, () => assert.throws(() => parse(text), { message }));

  it('knows every kind of destination', () => {
    const target = (text: string): unknown => parse(text).specs[0]?.target;
    assert.deepEqual(target('stderr'), { kind: 'stderr' });
    assert.deepEqual(target('/var/log/e.log'), file('/var/log/e.log'));
    assert.deepEqual(target('memory:32k'), { kind: 'memory', bytes: 32768 });
    assert.equal(parse('e.log warn json').specs[0]?.json, true);
  });

  it('may be repeated, and the innermost level wins as a whole', () => {
    const outer = parse('b.log crit', parse('a.log'));
    assert.deepEqual(
      outer.specs.map(({ level }) => level),
      [ERROR, CRIT],
    );
    const inner = parse('c.log', undefined, 'server');
    assert.equal(row.merge(inner, outer), inner);
    assert.equal(row.merge(undefined, outer), outer);
  });

  it('has a file in the main block, whatever else is there', () => {
    const fallback = defaultErrorLog(undefined, '/srv/');
    assert.deepEqual(fallback, file('/srv/logs/error.log'));
    assert.deepEqual(defaultErrorLog('stderr', '/srv/'), { kind: 'stderr' });
    const targets = (conf: ErrorLogConf): unknown =>
      errorLogSpecs(conf, fallback).map(({ target }) => target);
    assert.deepEqual(targets(row.initial), [fallback]);
    assert.deepEqual(targets(parse('memory:32k')), [{ kind: 'memory', bytes: 32768 }, fallback]);
    assert.deepEqual(targets(parse('stderr')), [{ kind: 'stderr' }]);
    assert.deepEqual(targets(parse('memory:32k', undefined, 'server')), [{ kind: 'memory', bytes: 32768 }]);
  });
});
