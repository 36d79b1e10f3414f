import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { resolve, type Scope } from '../../../src/config/contract.ts';
import { type Loaded, load } from '../../../src/config/loader.ts';
import { recorded } from '../../../src/config/source.ts';
import { http, loadTexts, modules, proxy } from './modules.ts';

const reasons = ({ errors }: Loaded): string[] => errors.map(({ message }) => message);

test('values of inner levels replace those of outer ones', () => {
  const { main, errors } = loadTexts({
    'nginx.conf': `http { client_body_timeout 5s; proxy_set_header A b; server { location / { root /r; proxy_set_header C d; } } }`,
  });
  assert.deepEqual(errors, []);
  const scopes: Scope[] = [main];
  for (let scope = main.children[0]; scope; scope = scope.children[0]) scopes.push(scope);
  assert.deepEqual(
    scopes.map(({ context }) => context),
    ['main', 'http', 'server', 'location'],
  );
  assert.equal(resolve(http, scopes).client_body_timeout, 5000);
  assert.equal(resolve(http, scopes).root, '/r');
  assert.deepEqual(resolve(proxy, scopes).proxy_set_header, [{ key: 'C', value: 'd' }]);
  assert.equal(scopes.at(-1)?.set.get('root')?.line, 1);
});

test('lists what else is wrong behind the first error', () => {
  const loaded = loadTexts({
    'nginx.conf': `events { }
http {
  foo { bar; }
  server {
    listen;
    location / { proxy_pass; }
  }
  access_by_lua_block { x = "}" }
  mail { }
  geoip_country x;
}
`,
  });
  assert.deepEqual(reasons(loaded), [
    'unknown directive "foo" in nginx.conf:3',
    'invalid number of arguments in "listen" directive in nginx.conf:5',
    'invalid number of arguments in "proxy_pass" directive in nginx.conf:6',
    'unknown directive "access_by_lua_block" in nginx.conf:8',
    '"mail" directive is not allowed here in nginx.conf:9',
    '"geoip_country" directive is known but not supported by sluice yet: use geo or map with a generated list in nginx.conf:10',
  ]);
});

test('a block that is not supported is one error', () => {
  const loaded = loadTexts({ 'nginx.conf': 'stream {\n server { listen 1; foo; }\n}\nevents { }\n' });
  assert.deepEqual(reasons(loaded), [
    '"stream" directive is known but not supported by sluice yet: keep the stream block in an nginx of its own in nginx.conf:1',
  ]);
});

test('nothing is guessed behind braces that do not match', () => {
  assert.deepEqual(reasons(loadTexts({ 'nginx.conf': 'events { }\n}\nfoo;\n' })), [
    'unexpected "}" in nginx.conf:2',
  ]);
});

test('a file of garbage ends after a hundred errors', () => {
  assert.equal(loadTexts({ 'nginx.conf': 'foo;\n'.repeat(1000) }).errors.length, 100);
});

test('-g is read first and has no lines', () => {
  const loaded = loadTexts({ 'nginx.conf': 'daemon on;' }, { globals: 'daemon off; foo;' });
  assert.deepEqual(reasons(loaded), [
    'unknown directive "foo" in command line',
    '"daemon" directive is duplicate in nginx.conf:1',
  ]);
});

for (const [globals, reason] of [
  ['daemon off', 'unexpected end of parameter, expecting ";" in command line'],
  ['events { }', 'block directives are not supported in -g option in command line'],
  ['}', 'unexpected "}" in command line'],
] as const) {
  test(`-g "${globals}": ${reason}`, () => {
    assert.equal(reasons(loadTexts({ 'nginx.conf': '' }, { globals }))[0], reason);
  });
}

test('a row handler gets each row, and include works among rows', () => {
  const loaded = loadTexts({
    'nginx.conf': 'events { }\nhttp { map $a $b { a b; include rows.map; c d e; } }',
    '/c/rows.map': 'x y;\nz;\n',
  });
  assert.deepEqual(reasons(loaded), [
    'invalid number of the map parameters in /c/rows.map:2',
    'invalid number of the map parameters in nginx.conf:2',
  ]);
});

test('a file that includes itself is stopped', () => {
  const [reason = ''] = reasons(loadTexts({ '/c/nginx.conf': 'include nginx.conf;' }));
  assert.equal(reason, 'open() "/c/nginx.conf" failed (24: Too many open files) in /c/nginx.conf:1');
});

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'loader-'));
  mkdirSync(join(folder, 'conf.d'));
  for (const [name, text] of [
    ['nginx.conf', 'events { }\ninclude conf.d/*.conf;\ninclude none/*.conf;\ninclude conf.d/b.conf;\n'],
    ['conf.d/b.conf', '# b\n'],
    ['conf.d/a.conf', '# a\n'],
    ['conf.d/.hidden.conf', 'foo;\n'],
  ] as const) {
    writeFileSync(join(folder, name), text);
  }
});
after(() => rmSync(folder, { recursive: true }));

const read = (file: string, source?: ReturnType<typeof recorded>): Loaded =>
  load({
    file: `${folder}/${file}`,
    prefix: '/p/',
    confPrefix: `${folder}/`,
    modules,
    testing: true,
    ...(source && { source }),
  });

test('includes are read in order, each file once in the record', () => {
  const { record, errors } = read('nginx.conf');
  assert.deepEqual(errors, []);
  assert.deepEqual(
    record.files.map(({ path }) => path.slice(folder.length)),
    ['/nginx.conf', '/conf.d/a.conf', '/conf.d/b.conf'],
  );
});

test('a record reads the same without the disk', () => {
  const { record } = read('nginx.conf');
  const again = read('nginx.conf', recorded(structuredClone(record)));
  assert.deepEqual(again.errors, []);
  assert.deepEqual(again.record, record);
});

test('a main file that is missing has no place', () => {
  assert.deepEqual(reasons(read('no.conf')), [
    `open() "${folder}/no.conf" failed (2: No such file or directory)`,
  ]);
});

test('a folder is no configuration', () => {
  assert.deepEqual(reasons(read('conf.d')), [`pread() "${folder}/conf.d" failed (21: Is a directory)`]);
});
