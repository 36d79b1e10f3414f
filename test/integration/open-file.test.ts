/** How files are opened: symbolic links refused, files kept open, names in any bytes. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
const www = join(rig.dir, 'www');
const LARGE = 'l'.repeat(2 << 20);

before(async () => {
  mkdirSync(join(www, 'real/inner'), { recursive: true });
  writeFileSync(join(www, 'file'), 'file');
  writeFileSync(join(www, 'large'), LARGE);
  writeFileSync(join(www, 'real/file'), 'inner');
  writeFileSync(join(www, 'real/index.html'), 'index');
  writeFileSync(join(www, 'nä me.txt'), 'bytes');
  writeFileSync(Buffer.concat([Buffer.from(`${www}/`), Buffer.from([0xff, 0x2e, 0x74])]), 'no utf-8');
  mkdirSync(join(www, 'ördner'));
  writeFileSync(join(www, 'ördner/index.html'), 'folder of bytes');
  symlinkSync('file', join(www, 'link'));
  symlinkSync('real', join(www, 'folder'));
  symlinkSync('nowhere', join(www, 'dangling'));
  symlinkSync('file', join(www, 'foreign'));
  lchownSync(join(www, 'foreign'), 1, 1);
  // The folder of the test may itself be behind links: only what is below it is looked at.
  proxy = await startProxy(rig, {
    http: `
      access_log off;
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        log_not_found on;
        location /plain/ { alias %dir%/www/; }
        location /on/ { alias %dir%/www/; disable_symlinks on from=%dir%/www; }
        location /strict/ { alias %dir%/www/folder/; disable_symlinks on; }
        location /owner/ { alias %dir%/www/; disable_symlinks if_not_owner from=%dir%/www/; }
        location /try/ { disable_symlinks on from=%dir%/www; alias %dir%/www/; try_files $uri =404; }
        location /if/ {
          disable_symlinks on from=$document_root;
          if (-f $document_root/link) { return 200 there; }
          if (-f $document_root/file) { return 200 refused; }
        }
        location /log/ {
          disable_symlinks on from=%dir%;
          alias %dir%/www/;
          access_log %dir%/logs/$arg_name;
        }
        location /cached/ {
          alias %dir%/www/;
          open_file_cache max=3 inactive=10s;
          open_file_cache_errors on;
        }
        location /briefly/ { alias %dir%/www/; open_file_cache max=3 inactive=10s; open_file_cache_valid 1s; }
        location /errors-unkept/ { alias %dir%/www/; open_file_cache max=10; }
        location /seldom/ { alias %dir%/www/; open_file_cache max=10; open_file_cache_min_uses 3; }
      }`,
  });
});
after(() => rig.close());

const body = async (target: string): Promise<string> => {
  const got = await proxy.get(target);
  return got.status === 200 ? got.body : String(got.status);
};

describe('names are bytes', () => {
  for (const [target, expected] of [
    ['/n%C3%A4%20me.txt', 'bytes'],
    ['/%FF.t', 'no utf-8'],
    ['/%C3%B6rdner/', 'folder of bytes'],
    ['/on/n%C3%A4%20me.txt', 'bytes'],
    ['/cached/%FF.t', 'no utf-8'],
    ['/try/n%C3%A4%20me.txt', 'bytes'],
  ] as const) {
    test(`GET ${target}`, async () => assert.equal(await body(target), expected));
  }
});

describe('disable_symlinks', () => {
  for (const [target, expected, logged] of [
    ['/plain/link', 'file', ''],
    ['/on/file', 'file', ''],
    ['/on/large', LARGE, ''],
    ['/on/real/file', 'inner', ''],
    ['/on/real/', 'index', ''],
    ['/on/link', '403', 'openat() "%dir%/www/link" failed (40: Too many levels of symbolic links)'],
    // nginx opens each step with O_PATH, which tells a link in the middle of a path as what is no folder.
    ['/on/folder/file', '404', 'openat() "%dir%/www/folder/file" failed (20: Not a directory)'],
    ['/on/dangling', '403', 'openat() "%dir%/www/dangling" failed (40: Too many levels of symbolic links)'],
    ['/on/missing', '404', 'openat() "%dir%/www/missing" failed (2: No such file or directory)'],
    ['/strict/file', '404', 'failed (20: Not a directory)'],
    ['/owner/link', 'file', ''],
    ['/owner/folder/file', 'inner', ''],
    ['/owner/foreign', '403', 'openat() "%dir%/www/foreign" failed (40: Too many levels of symbolic links)'],
    ['/try/link', '404', 'openat() "%dir%/www/link" failed (40: Too many levels of symbolic links)'],
    ['/if/', 'refused', 'openat() "%dir%/www/link" failed (40: Too many levels of symbolic links)'],
  ] as const) {
    test(`GET ${target}: ${expected.slice(0, 10)} ${logged}`, async () => {
      const from = proxy.log.length;
      assert.equal(await body(target), expected);
      if (logged !== '') await proxy.logged({ includes: logged.replace('%dir%', rig.dir), from });
      else assert.equal(proxy.log.slice(from).includes('failed'), false);
    });
  }

  test('a log is not written through a link', async () => {
    symlinkSync('../www/file', join(rig.dir, 'logs/evil'));
    const from = proxy.log.length;
    assert.equal(await body('/log/file?name=evil'), 'file');
    await proxy.logged({ includes: `openat() "${rig.dir}/logs/evil" failed (40: `, from });
    assert.equal(await body('/plain/file'), 'file');
    assert.equal(await body('/log/file?name=good'), 'file');
    const written = (): boolean => existsSync(join(rig.dir, 'logs/good'));
    await until(
      () => written() && readFileSync(join(rig.dir, 'logs/good'), 'latin1').includes('name=good'),
      'a line',
    );
  });
});

describe('open_file_cache', () => {
  const replace = (name: string, text: string): void => {
    writeFileSync(join(www, `${name}.new`), text);
    renameSync(join(www, `${name}.new`), join(www, name));
  };

  test('a file that was replaced is served as it was', async () => {
    replace('kept', 'before');
    assert.equal(await body('/cached/kept'), 'before');
    replace('kept', 'after');
    assert.equal(await body('/cached/kept'), 'before');
  });

  test('until open_file_cache_valid', async () => {
    replace('brief', 'before');
    assert.equal(await body('/briefly/brief'), 'before');
    replace('brief', 'after');
    await until(async () => (await body('/briefly/brief')) === 'after', 'the new file');
  });

  test('so is a large one', async () => {
    replace('kept-large', LARGE);
    assert.equal((await body('/cached/kept-large')).length, LARGE.length);
    replace('kept-large', 'after');
    assert.equal((await body('/cached/kept-large')).length, LARGE.length);
  });

  test('one that was removed is there still', async () => {
    replace('removed', 'text');
    assert.equal(await body('/cached/removed'), 'text');
    rmSync(join(www, 'removed'));
    assert.equal(await body('/cached/removed'), 'text');
  });

  test('that it was not there is remembered with open_file_cache_errors only', async () => {
    assert.equal(await body('/cached/late'), '404');
    assert.equal(await body('/errors-unkept/late'), '404');
    replace('late', 'text');
    assert.equal(await body('/cached/late'), '404');
    assert.equal(await body('/errors-unkept/late'), 'text');
  });

  test('a file is looked at anew until it was used open_file_cache_min_uses times', async () => {
    for (const text of ['one', 'two', 'three']) {
      replace('seldom', text);
      assert.equal(await body('/seldom/seldom'), text);
    }
    replace('seldom', 'four');
    assert.equal(await body('/seldom/seldom'), 'three');
  });

  test('the least recently used goes when it is full', async () => {
    for (const name of ['one', 'two', 'three', 'four']) {
      replace(name, name);
      assert.equal(await body(`/cached/${name}`), name);
    }
    replace('one', 'changed');
    assert.equal(await body('/cached/one'), 'changed');
  });

  test('a file that changed its time keeps its tag until then', async () => {
    replace('tagged', 'text');
    const tag = (await proxy.get('/cached/tagged')).headers.get('etag');
    utimesSync(join(www, 'tagged'), 1000, 1000);
    assert.equal((await proxy.get('/cached/tagged')).headers.get('etag'), tag);
  });
});
