import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configureArguments } from '../../../src/cli/configure-arguments.ts';
import { statement } from '../../../src/config/contract.ts';

const there = (context: 'main' | 'location') => statement({ in: [context], arity: 1, run: () => undefined });

describe('configure arguments', () => {
  const words = configureArguments([
    { name: 'some', directives: { proxy_pass: there('location'), ssl_certificate: there('location') } },
    { name: 'other', directives: { fastcgi_pass: there('main') } },
    { name: 'stream', directives: {} },
  ]);
  const cases: readonly (readonly [string, boolean])[] = [
    ['--with-http_ssl_module', true],
    ['--with-http_v2_module', false],
    ['--without-http_proxy_module', false],
    ['--without-http_fastcgi_module', true],
    ['--without-pcre', false],
    ['--with-stream', true],
    ['--with-mail', false],
  ];
  for (const [word, expected] of cases) {
    it(`${expected ? 'has' : 'has no'} ${word}`, () => assert.equal(words.includes(word), expected));
  }
});
