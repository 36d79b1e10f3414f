/** WebDAV: uploads, deletion, folders, copies; statuses and log lines of nginx. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { IS_NGINX, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const www = join(rig.dir, 'www');
/** A folder on another file system than the uploads, where this machine has one. */
const other = mkdtempSync('/dev/shm/sluice-dav-');

before(async () => {
  mkdirSync(www, { recursive: true });
  mkdirSync(join(rig.dir, 'temp'));
  proxy = await startProxy(rig, {
    http: `
      client_body_temp_path %dir%/temp;
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        absolute_redirect off;
        client_max_body_size 2m;
        dav_methods PUT DELETE MKCOL COPY MOVE;
        location / { }
        location /deep/ { create_full_put_path on; dav_access group:rw all:r; }
        location /least/ { min_delete_depth 3; }
        location /other/ { alias ${other}/; }
        location /put-only/ { dav_methods PUT; }
        location /off/ { dav_methods off; }
      }`,
  });
});
after(async () => {
  await rig.close();
  rmSync(other, { recursive: true });
});

const ask = async (method: string, target: string, headers = '', body?: string): Promise<Message> => {
  const length = body === undefined ? '' : `Content-Length: ${body.length}\r\n`;
  const wire = await proxy.connect();
  const reply = await wire.request(
    `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}${length}Connection: close\r\n\r\n${body ?? ''}`,
    method,
  );
  wire.close();
  return reply;
};
const text = (name: string): string => readFileSync(join(www, name), 'latin1');
const put = (name: string, content = 'x'): void => {
  mkdirSync(join(www, name, '..'), { recursive: true });
  writeFileSync(join(www, name), content);
};
const mode = (name: string): number => statSync(join(www, name)).mode & 0o777;

describe('PUT', () => {
  test('makes a file, and says where it is', async () => {
    const got = await ask('PUT', '/new%20file', '', 'content');
    assert.equal(got.status, 201);
    assert.equal(got.headers.get('location'), '/new%20file');
    assert.equal(got.headers.get('content-length'), '0');
    assert.equal(got.headers.get('content-type'), undefined);
    assert.equal(text('new file'), 'content');
    assert.equal(mode('new file'), 0o600);
  });

  test('replaces a file', async () => {
    put('there', 'before');
    const got = await ask('PUT', '/there', '', '');
    assert.equal(got.status, 204);
    assert.equal(got.headers.get('content-length'), undefined);
    assert.equal(text('there'), '');
  });

  test('takes a body in chunks, larger than any buffer', async () => {
    const wire = await proxy.connect();
    wire.send('PUT /chunks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n');
    for (let i = 0; i < 16; i++) wire.send(`10000\r\n${'c'.repeat(65536)}\r\n`);
    wire.send('0\r\n\r\n');
    assert.equal((await wire.readMessage('PUT')).status, 201);
    assert.equal(text('chunks'), 'c'.repeat(1 << 20));
  });

  test('takes an empty body in chunks', async () => {
    const wire = await proxy.connect();
    const head = 'PUT /no-chunks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n';
    assert.equal((await wire.request(`${head}0\r\n\r\n`, 'PUT')).status, 201);
    assert.equal(text('no-chunks'), '');
  });

  test('sets the time that Date names', async () => {
    await ask('PUT', '/dated', 'Date: Tue, 05 Mar 2024 06:07:08 GMT\r\n', 'x');
    assert.equal(statSync(join(www, 'dated')).mtime.toUTCString(), 'Tue, 05 Mar 2024 06:07:08 GMT');
  });

  test('makes folders with create_full_put_path, of the mode that dav_access gives', async () => {
    assert.equal((await ask('PUT', '/deep/a/b/file', '', 'x')).status, 201);
    assert.equal(mode('deep/a/b/file'), 0o664);
    assert.equal(mode('deep/a/b'), 0o775 & ~process.umask());
  });

  test('moves an upload over the border of a file system', async () => {
    assert.equal((await ask('PUT', '/other/over', '', 'moved')).status, 201);
    assert.equal(readFileSync(join(other, 'over'), 'latin1'), 'moved');
    assert.deepEqual(
      readdirSync(other).filter((name) => name !== 'over'),
      [],
    );
  });

  test('leaves no file behind', async () => {
    mkdirSync(join(www, 'folder'), { recursive: true });
    await ask('PUT', '/folder', '', 'x');
    await ask('PUT', '/nowhere/file', '', 'x');
    const wire = await proxy.connect();
    wire.send('PUT /cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nbegin');
    wire.close();
    await proxy.logged(/client prematurely closed connection/);
    assert.deepEqual(readdirSync(join(rig.dir, 'temp')), []);
    assert.ok(!existsSync(join(www, 'cut')));
  });
});

describe('what is refused', () => {
  before(() => {
    put('file');
    put('folder/inside');
    put('least/file');
  });
  const to = (uri: string): string => `Destination: ${uri}\r\n`;
  const cases: readonly [
    method: string,
    target: string,
    headers: string,
    body: string | undefined,
    status: number,
    logged: string,
  ][] = [
    ['PUT', '/folder/', '', 'x', 409, 'cannot PUT to a collection'],
    ['PUT', '/folder', '', 'x', 409, '/www/folder" could not be created (21: Is a directory)'],
    ['PUT', '/x', 'Content-Range: bytes 0-0/2\r\n', 'x', 501, 'PUT with range is unsupported'],
    ['PUT', '/x', '', undefined, 500, 'PUT request body must be in a file'],
    ['PUT', '/none/x', '', 'x', 500, '/www/none/x" failed (2: No such file or directory)'],
    ['DELETE', '/file', '', 'x', 415, 'DELETE with body is unsupported'],
    ['DELETE', '/none', '', undefined, 404, 'lstat() "'],
    ['DELETE', '/file/x', '', undefined, 409, 'failed (20: Not a directory)'],
    ['DELETE', '/folder', '', undefined, 409, '/www/folder" failed (21: Is a directory)'],
    ['DELETE', '/folder/', 'Depth: 0\r\n', undefined, 400, '"Depth" header must be infinity'],
    ['DELETE', '/file', 'Depth: 1\r\n', undefined, 400, '"Depth" header must be 0 or infinity'],
    ['DELETE', '/file', 'Depth: 2\r\n', undefined, 400, 'client sent invalid "Depth" header: "2"'],
    ['DELETE', '/least/file', '', undefined, 409, 'insufficient URI depth:2 to DELETE'],
    ['MKCOL', '/new/', '', 'x', 415, 'MKCOL with body is unsupported'],
    ['MKCOL', '/new', '', undefined, 409, 'MKCOL can create a collection only'],
    ['MKCOL', '/folder/', '', undefined, 405, 'mkdir() "'],
    ['MKCOL', '/none/new/', '', undefined, 409, '/www/none/new" failed (2: No such file or directory)'],
    ['COPY', '/file', to('/x'), 'x', 415, 'COPY and MOVE with body are unsupported'],
    ['COPY', '/file', '', undefined, 400, 'client sent no "Destination" header'],
    ['COPY', '/file', to('x'), undefined, 400, 'client sent invalid "Destination" header: "x"'],
    ['COPY', '/file', to('https://localhost/x'), undefined, 400, 'client sent invalid "Destination" header'],
    ['COPY', '/file', to('http://localhost'), undefined, 400, 'client sent invalid "Destination" header'],
    [
      'COPY',
      '/file',
      to('http://else/x'),
      undefined,
      400,
      'is handled by different repository than the source URI',
    ],
    ['COPY', '/file', to('/a/../../x'), undefined, 400, 'unsafe URI "/a/../../x" was detected'],
    [
      'COPY',
      '/file',
      to('/%2e%2e/x'),
      undefined,
      400,
      'client sent invalid "Destination" header: "/%2e%2e/x"',
    ],
    ['COPY', '/other/x', to('/o'), undefined, 400, 'client sent invalid "Destination" header: "/o"'],
    ['COPY', '/file', to('/x/'), undefined, 409, 'should be either collections or non-collections'],
    ['COPY', '/file', `${to('/x')}Depth: 1\r\n`, undefined, 400, '"Depth" header must be 0 or infinity'],
    ['MOVE', '/file', `${to('/x')}Depth: 0\r\n`, undefined, 400, '"Depth" header must be infinity'],
    [
      'COPY',
      '/file',
      `${to('/x')}Overwrite: no\r\n`,
      undefined,
      400,
      'client sent invalid "Overwrite" header: "no"',
    ],
    ['COPY', '/file', to('/file'), undefined, 403, 'point to the same location'],
    [
      'COPY',
      '/folder/',
      to('/folder/deeper/'),
      undefined,
      403,
      '"/folder/" could not be COPYed to collection',
    ],
    ['MOVE', '/file', to('/folder'), undefined, 409, '"/file" could not be MOVEed to collection "/folder"'],
    [
      'COPY',
      '/file',
      `${to('/new%20file')}Overwrite: F\r\n`,
      undefined,
      412,
      'could not be created (17: File exists)',
    ],
    ['COPY', '/none', to('/x'), undefined, 404, '/www/none" failed (2: No such file or directory)'],
    ['COPY', '/folder', to('/x'), undefined, 400, '"/folder" is collection'],
    ['MOVE', '/none/', to('/x/'), undefined, 404, '/www/none/" failed (2: No such file or directory)'],
  ];
  for (const [method, target, headers, body, status, logged] of cases) {
    test(`${method} ${target} ${headers.replaceAll('\r\n', ' ')}: ${status}`, async () => {
      const from = proxy.log.length;
      assert.equal((await ask(method, target, headers, body)).status, status);
      await proxy.logged({ includes: logged, from });
    });
  }

  for (const [method, target, status] of [
    ['PUT', '/off/x', 405],
    ['DELETE', '/put-only/x', 405],
    ['PUT', '/put-only/x', 500],
  ] as const) {
    test(`${method} ${target} in a location with other methods: ${status}`, async () => {
      assert.equal((await ask(method, target, '', '')).status, status);
    });
  }
});

describe('DELETE', () => {
  test('removes a file, and a link but not what it leads to', async () => {
    put('kept');
    symlinkSync('kept', join(www, 'link'));
    assert.equal((await ask('DELETE', '/link')).status, 204);
    assert.equal((await ask('DELETE', '/kept')).status, 204);
    assert.ok(!existsSync(join(www, 'kept')));
  });

  test('removes a folder and all that is in it', async () => {
    put('tree/a/b/c');
    put('tree/d');
    put('outside');
    symlinkSync('../outside', join(www, 'tree/link'));
    assert.equal((await ask('DELETE', '/tree/')).status, 204);
    assert.ok(!existsSync(join(www, 'tree')));
    assert.ok(existsSync(join(www, 'outside')));
  });
});

// nginx deletes what is behind the link, and fails at the link itself.
describe('DELETE of a folder with a link to another', { skip: IS_NGINX }, () => {
  test('removes the link only', async () => {
    put('linking/file');
    put('kept-folder/file');
    symlinkSync('../kept-folder', join(www, 'linking/link'));
    assert.equal((await ask('DELETE', '/linking/')).status, 204);
    assert.ok(existsSync(join(www, 'kept-folder/file')));
  });
});

describe('MKCOL', () => {
  test('makes a folder', async () => {
    const got = await ask('MKCOL', '/n%C3%A4/');
    assert.equal(got.status, 201);
    assert.equal(got.headers.get('location'), '/n%C3%A4/');
    assert.ok(statSync(join(www, 'nä')).isDirectory());
    assert.equal(mode('nä'), 0o700);
  });
});

describe('COPY and MOVE', () => {
  test('a file is copied with its time', async () => {
    put('from', 'text');
    assert.equal((await ask('COPY', '/from', 'Destination: http://localhost/to%20here?x\r\n')).status, 204);
    assert.equal(text('to here'), 'text');
    const seconds = (name: string): number => Math.floor(statSync(join(www, name)).mtimeMs / 1000);
    assert.equal(seconds('to here'), seconds('from'));
  });

  test('a file is moved, into folders that are made for it', async () => {
    put('moved', 'text');
    assert.equal((await ask('MOVE', '/moved', 'Destination: /made/for/it\r\n')).status, 204);
    assert.equal(text('made/for/it'), 'text');
    assert.ok(!existsSync(join(www, 'moved')));
  });

  test('a folder is copied over another', async () => {
    put('one/sub/file', 'text');
    put('two/old');
    assert.equal((await ask('COPY', '/one/', 'Destination: /two/\r\n')).status, 201);
    assert.equal(text('two/sub/file'), 'text');
    assert.ok(!existsSync(join(www, 'two/old')));
    assert.ok(existsSync(join(www, 'one')));
  });

  test('a folder is moved', async () => {
    put('three/file', 'text');
    assert.equal((await ask('MOVE', '/three/', 'Destination: /four/\r\n')).status, 201);
    assert.equal(text('four/file'), 'text');
    assert.ok(!existsSync(join(www, 'three')));
  });
});
