import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileRegex } from '../../../src/config/regex.ts';
import { PathSplit } from '../../../src/http/modules/fastcgi-params.ts';

describe('fastcgi_split_path_info and fastcgi_index', () => {
  const PHP = String.raw`^(.+?\.php)(/.*)$`;
  const cases = [
    { pattern: undefined, index: '', uri: '/a/', name: '/a/', info: '' },
    { pattern: undefined, index: 'index.php', uri: '/a/', name: '/a/index.php', info: '' },
    { pattern: undefined, index: 'index.php', uri: '/a', name: '/a', info: '' },
    { pattern: PHP, index: 'index.php', uri: '/a.php/b/c', name: '/a.php', info: '/b/c' },
    { pattern: PHP, index: 'index.php', uri: '/a.php', name: '/a.php', info: '' },
    { pattern: '^(/x/)(.*)$', index: 'index.php', uri: '/x/y', name: '/x/index.php', info: 'y' },
    { pattern: '^(/x)(/y)?$', index: '', uri: '/x', name: '/x', info: '' },
  ];
  for (const { pattern, index, uri, name, info } of cases) {
    it(`takes ${uri} apart by ${pattern ?? 'nothing'} with "${index}"`, () => {
      const split = new PathSplit(pattern === undefined ? undefined : compileRegex(pattern).regexp, index);
      for (const each of ['/other', uri, uri]) split.name(each);
      assert.equal(split.pathInfo(uri), info);
      assert.equal(split.name(uri), name);
    });
  }
});
