import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Server } from '../../../src/http/location.ts';
import { isServerName, type ServerName, ServerNames } from '../../../src/http/server-names.ts';
import { loadHttp, requestTo, serverAt, verdictOf } from './http-rig.ts';

const fallback = new Server();
fallback.name = 'fallback';

/** The names of `server_name` lines, each line a server's, called by its number. */
const namesOf = (...lines: readonly string[]) => {
  const build = loadHttp(lines.map((line) => `server { listen 80; server_name ${line}; }`).join('\n'));
  const names: [ServerName, Server][] = build.servers.flatMap((server, index) => {
    server.runtime.name = `${index}`;
    return server.names.map((name): [ServerName, Server] => [name, server.runtime]);
  });
  const conflicts: string[] = [];
  const found = new ServerNames(fallback, names, (name) => conflicts.push(name));
  const request = requestTo(fallback, build.variables.slots);
  return { build, request, names: found, conflicts };
};

const cases: readonly (readonly [lines: readonly string[], found: Readonly<Record<string, string>>])[] = [
  [['a b', 'c'], { a: '0', b: '0', c: '1', d: 'fallback', '': 'fallback', 'a.b': 'fallback' }],
  [['A.Example'], { 'a.example': '0' }],
  [['*.a', 'x.a'], { 'x.a': '1', 'y.a': '0', 'z.y.a': '0', a: 'fallback', '.a': 'fallback', ba: 'fallback' }],
  [['.a', 'b.a'], { a: '0', 'x.a': '0', 'y.x.a': '0', 'b.a': '1', 'x.b.a': '0' }],
  [['*.a', '*.b.a', '*.c.b.a'], { 'x.a': '0', 'x.b.a': '1', 'x.c.b.a': '2', 'b.a': '0', 'c.b.a': '1' }],
  [
    ['a.*', 'a.b.*'],
    { 'a.x': '0', 'a.x.y': '0', 'a.b.c': '1', 'a.b': '0', a: 'fallback', 'b.a.x': 'fallback' },
  ],
  [['www.a.*', '*.a.com'], { 'www.a.com': '1', 'www.a.org': '0' }],
  [['~^(?<who>.+)\\.x$', '~y'], { 'a.x': '0', 'y.x': '0', y: '1', z: 'fallback', '': 'fallback' }],
  [['~.', 'a', '*.b', 'c.*'], { a: '1', 'x.b': '2', 'c.x': '3', d: '0' }],
  [['""', 'a'], { '': '0', a: '1' }],
  [['_'], { _: '0', a: 'fallback' }],
];

describe('the server of a host', () => {
  for (const [lines, found] of cases) {
    const { names, request } = namesOf(...lines);
    for (const [host, name] of Object.entries(found)) {
      it(`${host === '' ? 'none' : host} among ${lines.join(' ; ')}`, () =>
        assert.equal(names.find(host, request).name, name));
    }
  }

  it('gives its captures to the request', () => {
    const { names, request, build } = namesOf('~^(?<who>.+)\\.(x)$', 'b');
    names.find('a.x', request);
    build.variables.bind();
    assert.equal(build.variables.use('who').get(request), 'a');
    assert.equal(request.captures?.[2], 'x');
  });

  it('is found without a request too', () => {
    const { names } = namesOf('a', '~^b', '*.c');
    assert.deepEqual(
      ['a', 'bx', 'x.c', 'z'].map((host) => names.findForName(host)?.name),
      ['0', '1', '2', undefined],
    );
  });

  it('is known to be one only, or to need patterns', () => {
    const none = new ServerNames(fallback, [], () => undefined);
    assert.deepEqual([none.single, none.patterns], [true, false]);
    const { names } = namesOf('~a');
    assert.deepEqual([names.single, names.patterns], [false, true]);
  });
});

describe('names that are there twice', () => {
  const table: readonly (readonly [lines: readonly string[], conflicts: readonly string[]])[] = [
    [['a', 'a'], ['a']],
    [['a', 'A'], ['a']],
    [['.a', 'a'], ['a']],
    [['a', '.a'], ['.a']],
    [['.a', '*.a'], ['*.a']],
    [['*.a', '.a'], ['.a']],
    [['.a', '.a'], ['.a']],
    [['a *.a', '.a'], ['.a']],
    [['a.*', 'A.*'], ['a.*']],
    [['a *.a a.*', 'b'], []],
    [['~a', '~a'], []],
  ];
  for (const [lines, conflicts] of table) {
    it(lines.join(' ; '), () => assert.deepEqual(namesOf(...lines).conflicts, conflicts));
  }
  it('belong to the first server', () => {
    const { names, request } = namesOf('a', 'a');
    assert.equal(names.find('a', request).name, '0');
  });
});

describe('what can be told apart', () => {
  const table: readonly (readonly [name: string, valid: boolean])[] = [
    ['', true],
    ['a', true],
    ['a.', true],
    ['.a', true],
    ['*.a', true],
    ['a.*', true],
    ['a*', false],
    ['a*b', false],
    ['a.*.b', false],
    ['*.a.*', false],
    ['*.*', false],
    ['a..b', false],
    ['..a', false],
    ['a\0', false],
  ];
  for (const [name, valid] of table) it(JSON.stringify(name), () => assert.equal(isServerName(name), valid));
});

describe('a server_name in a configuration', () => {
  const other = 'server { listen 80; server_name z; }';
  const table: readonly (readonly [http: string, verdict: string])[] = [
    ['server { server_name *; }', 'server name "*" is invalid'],
    ['server { server_name *a; }', 'server name "*a" is invalid'],
    ['server { server_name *.; }', 'server name "*." is invalid'],
    ['server { server_name .; }', 'server name "." is invalid'],
    ['server { server_name ~; }', 'empty regex in server name "~"'],
    ['server { server_name ~(; }', 'pcre2_compile() failed: missing closing parenthesis in "("'],
    ['server { server_name a/b; }', 'server name "a/b" has suspicious symbols'],
    ['server { listen 80; server_name a*b; }', ''],
    [
      `server { listen 80; server_name a*b; } ${other}`,
      'invalid server name or wildcard "a*b" on 0.0.0.0:80',
    ],
    [
      `server { listen 80; server_name a..b; } ${other}`,
      'invalid server name or wildcard "a..b" on 0.0.0.0:80',
    ],
    ['server { listen 80; server_name a a; }', ''],
    [`server { listen 80; server_name a a; } ${other}`, 'conflicting server name "a" on 0.0.0.0:80, ignored'],
    ['server { listen 80; } server { listen 80; }', 'conflicting server name "" on 0.0.0.0:80, ignored'],
    ['server { listen 80; } server { listen 81; }', ''],
    [`server { listen 80; server_name ~a; } ${other}`, ''],
  ];
  for (const [http, verdict] of table) it(http, () => assert.equal(verdictOf(http), verdict));

  const names: readonly (readonly [written: string, name: string])[] = [
    ['a b', 'a'],
    ['.A', 'a'],
    ['*.a', '*.a'],
    ['~^a', '~^a'],
    ['""', ''],
  ];
  for (const [written, name] of names) {
    it(`${written}: $server_name is "${name}"`, () =>
      assert.equal(serverAt(loadHttp(`server { server_name ${written}; }`)).runtime.name, name));
  }
});
