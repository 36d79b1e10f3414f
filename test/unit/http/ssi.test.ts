/** The scanner and the expressions of SSI, and the C library's time formats. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseSsiExpression } from '../../../src/http/modules/ssi-expression.ts';
import { COMMAND, END, HELD, MALFORMED, SsiScanner, TEXT } from '../../../src/http/modules/ssi-scanner.ts';
import { strftime } from '../../../src/http/strftime.ts';

/** What a scanner finds in a page that comes in these pieces: text joined, commands as `{name key=value}`. */
const scan = (
  pieces: readonly string[],
  valueLength = 10,
): { readonly found: string; readonly errors: readonly string[] } => {
  const errors: string[] = [];
  const scanner = new SsiScanner(valueLength, (reason) => errors.push(reason));
  let found = '';
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1');
    scanner.position = 0;
    for (let what = scanner.next(bytes); what !== END; what = scanner.next(bytes)) {
      if (what === TEXT) found += bytes.latin1Slice(scanner.from, scanner.to);
      else if (what === HELD) found += '<!--#'.slice(0, scanner.held);
      else if (what === MALFORMED) found += '{malformed}';
      else if (what === COMMAND) {
        const { name, params } = scanner.command;
        found += `{${[name, ...params.map(([key, value]) => `${key}=${value}`)].join(' ')}}`;
      }
    }
  }
  return { found: found + scanner.rest, errors };
};

describe('the scanner', () => {
  test('reads a command that comes again as the first time', () => {
    const pages: readonly (readonly [page: string, found: string])[] = [
      ['a<!--# echo var="x" -->b<!--# echo var="x" -->c', 'a{echo var=x}b{echo var=x}c'],
      ['<!--#if expr="-->" -->b', '{if expr=-->}b'],
      ['<!--# a b="c" -->-->', '{a b=c}-->'],
      ['<!--#x-->', '{x}'],
    ];
    for (const [page, found] of pages) {
      for (let i = 0; i < 3; i++) assert.deepEqual(scan([page]), { found, errors: [] });
      for (let cut = 1; cut < page.length; cut++) {
        assert.deepEqual(scan([page.slice(0, cut), page.slice(cut)]), { found, errors: [] });
      }
    }
  });

  test('finds a value too long that was not elsewhere', () => {
    const page = '<!--#a b="12345" -->c';
    assert.deepEqual(scan([page], 5), { found: '{a b=12345}c', errors: [] });
    assert.deepEqual(scan([page], 4), {
      found: '{malformed}c',
      errors: ['too long "12345..." value of "b" parameter in "a" SSI command'],
    });
    assert.deepEqual(scan([page], 5), { found: '{a b=12345}c', errors: [] });
  });

  const cases: readonly [page: string, found: string, error?: string][] = [
    ['text', 'text'],
    ['a<!--#echo var="x" -->b', 'a{echo var=x}b'],
    ['<!--#endif-->', '{endif}'],
    ['<!--# echo\tvar = "x"\n-->', '{echo var=x}'],
    [`<!--#a b='c"d' e="f" -->`, '{a b=c"d e=f}'],
    ['<!--#a b="\\"" -->', '{a b=\\"}'],
    ['<!-- # -->', '<!-- # -->'],
    ['<<!<!-<!--<!--#a -->', '<<!<!-<!--{a}'],
    ['a<!--', 'a<!--'],
    ['<!--#a b -->c', '{malformed}c', 'unexpected "-" symbol after "b" parameter in "a" SSI command'],
    [
      '<!--#a b=c -->d',
      '{malformed}d',
      'unexpected "c" symbol before value of "b" parameter in "a" SSI command',
    ],
    [
      '<!--#a b="c"d -->',
      '{malformed}',
      'unexpected "d" symbol after "c" value of "b" parameter in "a" SSI command',
    ],
    ['<!--#a -x -->', '{malformed}', 'unexpected "x" symbol in "a" SSI command'],
    [
      '<!--#a b="12345678901" -->',
      '{malformed}',
      'too long "12345678901..." value of "b" parameter in "a" SSI command',
    ],
    [`<!--#${'n'.repeat(33)} -->`, '{malformed}', `the "${'n'.repeat(33)}..." SSI command is too long`],
  ];
  for (const [page, found, error] of cases) {
    test(page, () => {
      const whole = scan([page]);
      assert.equal(whole.found, found);
      assert.deepEqual(whole.errors, error === undefined ? [] : [error]);
      for (let at = 1; at < page.length; at++) {
        assert.deepEqual(scan([page.slice(0, at), page.slice(at)]), whole, `split at ${at}`);
      }
      assert.deepEqual(scan([...page]), whole, 'in bytes');
    });
  }
});

describe('expressions', () => {
  const cases: readonly [source: string, expression: object | undefined][] = [
    ['$a', { left: '$a' }],
    ['$A', { left: '$a' }],
    ['', { left: '' }],
    ['$a = b c', { left: '$a', negated: false, text: 'b c' }],
    ['$a!=b', { left: '$a', negated: true, text: 'b' }],
    ['$a = ', { left: '$a', negated: false, text: '' }],
    ['$a = /b.*/', { left: '$a', negated: false, pattern: 'b.*' }],
    ['$a != /b/', { left: '$a', negated: true, pattern: 'b' }],
    ['$a = \\/b', { left: '$a', negated: false, text: '/b' }],
    ['$a = /b', undefined],
    ['$a ~ b', undefined],
    ['$a b', undefined],
    ['a.b', undefined],
  ];
  for (const [source, expression] of cases) {
    test(source, () => assert.deepEqual(parseSsiExpression(source), expression));
  }
});

describe('strftime', () => {
  // Sunday, 29 December 2024, 23:05:09 GMT.
  const TIME = 1_735_513_509;
  const cases: readonly [format: string, text: string][] = [
    ['%A, %d-%b-%Y %H:%M:%S %Z', 'Sunday, 29-Dec-2024 23:05:09 GMT'],
    ['%a %B %e %I %p %P %y %C %j', 'Sun December 29 11 PM pm 24 20 364'],
    ['%D|%F|%T|%R|%r|%c', '12/29/24|2024-12-29|23:05:09|23:05|11:05:09 PM|Sun Dec 29 23:05:09 2024'],
    ['%u %w %U %W %V %G %g', '7 0 52 52 52 2024 24'],
    ['%s %z %% %n%t%Q', '1735513509 +0000 % \n\t%Q'],
    ['%Ey %Od', '24 29'],
  ];
  for (const [format, text] of cases) test(format, () => assert.equal(strftime(format, TIME, true), text));

  test('the first week of a year', () => {
    assert.equal(strftime('%G-%V %U %W', Date.UTC(2024, 11, 30) / 1000, true), '2025-01 52 53');
  });
});
