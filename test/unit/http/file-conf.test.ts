/** The directives about opening files: what nginx says of wrong ones, and how levels inherit. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GuardedOpener, plainOpener } from '../../../src/http/open-file.ts';
import { CachingOpener } from '../../../src/http/open-file-cache.ts';
import { loadHttp, locationAt, verdictOf } from './http-rig.ts';

describe('what is wrong is said as nginx says it', () => {
  for (const [conf, verdict] of [
    ['open_file_cache max=0;', 'invalid "open_file_cache" parameter "max=0"'],
    ['open_file_cache inactive=5;', '"open_file_cache" must have the "max" parameter'],
    ['open_file_cache max=10 foo=1;', 'invalid "open_file_cache" parameter "foo=1"'],
    ['open_file_cache max=10 inactive=x;', 'invalid "open_file_cache" parameter "inactive=x"'],
    ['open_file_cache off; open_file_cache off;', '"open_file_cache" directive is duplicate'],
    ['open_file_cache max=10 inactive=1m;', ''],
    ['open_log_file_cache min_uses=2;', '"open_log_file_cache" must have "max" parameter'],
    [
      'open_log_file_cache max=10; open_log_file_cache max=10;',
      '"open_log_file_cache" directive is duplicate',
    ],
    ['open_log_file_cache off; open_log_file_cache max=1;', '"open_log_file_cache" directive is duplicate'],
    ['disable_symlinks from=/x;', '"disable_symlinks" must have "off", "on" or "if_not_owner" parameter'],
    ['disable_symlinks on off;', 'duplicate parameters "on off"'],
    ['disable_symlinks off from=/x;', '"from=" cannot be used with "off" parameter'],
    ['disable_symlinks yes;', 'invalid parameter "yes"'],
    ['disable_symlinks on from=$document_root;', ''],
  ] as const) {
    test(`${conf} ${verdict}`, () => assert.equal(verdictOf(conf), verdict));
  }
});

test('a location can turn off what is on around it', () => {
  const build = loadHttp(`
    server {
      location /plain { }
      location /guarded { disable_symlinks on; location /guarded/not { disable_symlinks off; } }
      location /cached { open_file_cache max=2; location /cached/not { open_file_cache off; } }
    }`);
  const opener = (name: string): unknown => locationAt(build, `location ${name}`).core.opener;
  assert.equal(opener('/plain'), plainOpener);
  assert.ok(opener('/guarded') instanceof GuardedOpener);
  assert.equal(opener('/guarded/not'), plainOpener);
  assert.ok(opener('/cached') instanceof CachingOpener);
  assert.equal(opener('/cached/not'), plainOpener);
});
