import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Options, parseArguments, UsageError } from '../../../src/cli/arguments.ts';

const NOTHING: Options = {
  help: false,
  version: false,
  configure: false,
  test: false,
  dump: false,
  quiet: false,
  signal: undefined,
  prefix: undefined,
  errorLog: undefined,
  conf: undefined,
  globals: undefined,
};

describe('the command line', () => {
  const good: readonly (readonly [string, Partial<Options>])[] = [
    ['', {}],
    ['-v', { version: true }],
    ['-V', { version: true, configure: true }],
    ['-?', { version: true, help: true }],
    ['-h', { version: true, help: true }],
    ['-t', { test: true }],
    ['-T', { test: true, dump: true }],
    ['-tq', { test: true, quiet: true }],
    ['-qtc a.conf', { test: true, quiet: true, conf: 'a.conf' }],
    ['-ca.conf -p/x -e stderr', { conf: 'a.conf', prefix: '/x', errorLog: 'stderr' }],
    ['-s reload', { signal: 'reload' }],
    ['-squit', { signal: 'quit' }],
    ['-c -t', { conf: '-t' }],
    ['-c a -c b', { conf: 'b' }],
    ['-', {}],
  ];
  for (const [line, expected] of good) {
    it(`reads "${line}"`, () => {
      assert.deepEqual(parseArguments(line.split(' ').filter(Boolean)), { ...NOTHING, ...expected });
    });
  }

  const bad: readonly (readonly [string, string])[] = [
    ['x', 'invalid option: "x"'],
    ['-tz', 'invalid option: "z"'],
    ['--help', 'invalid option: "-"'],
    ['-s', 'option "-s" requires parameter'],
    ['-s foo', 'invalid option: "-s foo"'],
    ['-sfoo', 'invalid option: "-s foo"'],
    ['-p', 'option "-p" requires directory name'],
    ['-c', 'option "-c" requires file name'],
    ['-e', 'option "-e" requires file name'],
    ['-g', 'option "-g" requires parameter'],
  ];
  for (const [line, message] of bad) {
    it(`refuses "${line}"`, () => {
      assert.throws(() => parseArguments(line.split(' ')), new UsageError(message));
    });
  }
});
