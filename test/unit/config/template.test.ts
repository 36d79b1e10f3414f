import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseTemplate, type TemplatePart } from '../../../src/config/template.ts';

const PARTS: readonly (readonly [text: string, parts: readonly TemplatePart[]])[] = [
  ['', []],
  ['plain', ['plain']],
  ['$host', [{ variable: 'host' }]],
  [
    '$scheme://$host$request_uri',
    [{ variable: 'scheme' }, '://', { variable: 'host' }, { variable: 'request_uri' }],
  ],
  ['a${b}c', ['a', { variable: 'b' }, 'c']],
  ['$1$2x', [{ capture: 1 }, { capture: 2 }, 'x']],
  ['$10', [{ capture: 1 }, '0']],
  ['${1}', [{ variable: '1' }]],
  ['$0', [{ variable: '0' }]],
  ['$a-$b', [{ variable: 'a' }, '-', { variable: 'b' }]],
  ['line\nbreak $a', ['line\nbreak ', { variable: 'a' }]],
];
for (const [text, parts] of PARTS) {
  test(`splits ${JSON.stringify(text)}`, () => assert.deepEqual(parseTemplate(text), parts));
}

const ERRORS: readonly (readonly [text: string, reason: string])[] = [
  ['$', 'invalid variable name'],
  ['a$', 'invalid variable name'],
  ['$-', 'invalid variable name'],
  ['${', 'invalid variable name'],
  ['${}', 'invalid variable name'],
  ['$$a', 'invalid variable name'],
  ['${a', 'the closing bracket in "a" variable is missing'],
  ['${a-b}', 'the closing bracket in "a" variable is missing'],
  ['${-}', 'the closing bracket in "" variable is missing'],
  ['$a${b $', 'the closing bracket in "b" variable is missing'],
];
for (const [text, reason] of ERRORS) {
  test(`refuses "${text}": ${reason}`, () =>
    assert.throws(() => parseTemplate(text), { name: 'Reason', message: reason }));
}
