import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configureArguments } from '../../../src/cli/configure-arguments.ts';

describe('configure arguments', () => {
  const words = configureArguments([{ name: 'http_proxy' }, { name: 'http_ssl' }]);
  const cases: readonly (readonly [string, boolean])[] = [
    ['--with-http_ssl_module', true],
    ['--with-http_v2_module', false],
    ['--without-http_proxy_module', false],
    ['--without-http_fastcgi_module', true],
    ['--without-pcre', false],
    ['--with-stream', false],
  ];
  for (const [word, there] of cases) {
    it(`${there ? 'has' : 'has no'} ${word}`, () => assert.equal(words.includes(word), there));
  }
});
