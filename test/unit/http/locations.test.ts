import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EXACT, findLocation, NONE, PREFIX, REDIRECT } from '../../../src/http/find-location.ts';
import { errorLine, loadHttp, requestTo, serverAt, verdictOf } from './http-rig.ts';

const OUTCOMES = new Map([
  [EXACT, 'exact'],
  [REDIRECT, 'redirect'],
  [PREFIX, 'prefix'],
  [NONE, 'none'],
]);

/** `KIND NAME` of the location that a path comes to. */
const finder = (locations: string): ((uri: string) => string) => {
  const build = loadHttp(`server { ${locations} }`);
  const server = serverAt(build).runtime;
  return (uri) => {
    const request = requestTo(server, build.variables.slots);
    request.uri = uri;
    const outcome = findLocation(request, server.locations);
    return `${OUTCOMES.get(outcome)} ${request.location.name}`;
  };
};

const PROXY = 'proxy_pass http://127.0.0.1:1;';
const MANY = Array.from({ length: 30 }, (_, i) => `location /p${i} {} location /p${i}/ { ${PROXY} }`).join(
  ' ',
);

const cases: readonly (readonly [locations: string, found: Readonly<Record<string, string>>])[] = [
  ['', { '/': 'none ' }],
  [
    'location /a {}',
    { '/': 'none ', '/a': 'prefix /a', '/ab': 'prefix /a', '/a/b': 'prefix /a', '/A': 'none ' },
  ],
  ['location "" {} location /a {}', { '/x': 'prefix ', '/a': 'prefix /a' }],
  ['location = /a {} location /a {}', { '/a': 'exact /a', '/a/': 'prefix /a' }],
  [
    'location / {} location /a {} location /a/b {}',
    { '/a/bc': 'prefix /a/b', '/a/c': 'prefix /a', '/x': 'prefix /' },
  ],
  [
    'location / {} location ~ b$ {} location ^~ /c {}',
    { '/b': 'exact b$', '/c/b': 'prefix /c', '/x': 'prefix /', '/B': 'prefix /' },
  ],
  ['location ~* B$ {}', { '/b': 'exact B$', '/B': 'exact B$' }],
  ['location ~ a {} location ~ ab {}', { '/ab': 'exact a' }],
  [
    'location ~ab {} location =/a {} location ^~/c {}',
    { '/ab': 'exact ab', '/a': 'exact /a', '/c': 'prefix /c' },
  ],
  ['location @a {} location / {}', { '@a': 'none ', '/@a': 'prefix /' }],
  // Nested: the inner one wins, and its regular expressions come before those outside.
  [
    'location /a { location /a/b {} location ~ \\.x$ {} location = /a/e {} } location ~ \\.x$ {}',
    {
      '/a': 'prefix /a',
      '/a/b': 'prefix /a/b',
      '/a/b.x': 'exact \\.x$',
      '/a/e': 'exact /a/e',
      '/c.x': 'exact \\.x$',
    },
  ],
  ['location ^~ /a { location ~ x {} } location ~ x {}', { '/a/x': 'exact x', '/a/y': 'prefix /a' }],
  [
    'location /a { location ^~ /a/b {} } location ~ x {}',
    { '/a/b': 'prefix /a/b', '/a/bx': 'exact x', '/ax': 'exact x' },
  ],
  [
    'location ~ a { location ~ b {} location ~ c {} }',
    { '/a': 'exact a', '/ab': 'exact b', '/ac': 'exact c' },
  ],
  ['location ~ ^/a { location ^/a {} }', { '/a': 'exact ^/a' }],
  // A proxy under /x/ answers /x with a redirect, unless something else is there.
  [`location /x/ { ${PROXY} }`, { '/x': 'redirect /x/', '/x/': 'prefix /x/', '/xy': 'none ' }],
  [`location = /x/ { ${PROXY} }`, { '/x': 'redirect /x/', '/x/': 'exact /x/' }],
  [`location /x/ { ${PROXY} } location = /x {}`, { '/x': 'exact /x' }],
  [`location /x/ { ${PROXY} } location /x {}`, { '/x': 'prefix /x' }],
  [`location / { ${PROXY} }`, { '': 'none ', '/': 'prefix /' }],
  [`location /a/ { location /a/b/ { ${PROXY} } }`, { '/a/b': 'redirect /a/b/', '/a': 'none ' }],
  ['location /x/ { return 200; }', { '/x': 'none ' }],
  [
    `location / {} ${MANY} location ~ \\.php$ {}`,
    {
      '/p1': 'prefix /p1',
      '/p12': 'prefix /p12',
      '/p12/': 'prefix /p12/',
      '/p123': 'prefix /p12',
      '/p29/x': 'prefix /p29/',
      '/p29/x.php': 'exact \\.php$',
      '/q': 'prefix /',
      '': 'none ',
    },
  ],
];

describe('the location of a path', () => {
  for (const [locations, found] of cases) {
    const find = finder(locations);
    for (const [uri, expected] of Object.entries(found)) {
      it(`${uri} in ${locations.slice(0, 90)}`, () => assert.equal(find(uri), expected));
    }
  }

  it('keeps the captures of the expression that matched', () => {
    const build = loadHttp('server { location ~ ^/(?<first>[^/]+)/(.*)$ { return 200 $first; } }');
    const server = serverAt(build).runtime;
    const request = requestTo(server, build.variables.slots);
    request.uri = '/one/two';
    findLocation(request, server.locations);
    assert.deepEqual([...(request.captures ?? [])], ['/one/two', 'one', 'two']);
    assert.equal(build.variables.use('first').get(request), 'one');
  });

  it('is the first of those with one name, for names', () => {
    const build = loadHttp(
      'server { location @a { return 201; } location @a { return 202; } location @b {} }',
    );
    const { named } = serverAt(build).runtime.locations;
    assert.deepEqual([...named.keys()], ['@a', '@b']);
    assert.equal(named.get('@a'), build.inner.get(serverAt(build).scope)?.[0]?.location);
  });
});

const refused: readonly (readonly [locations: string, reason: string])[] = [
  ['location / {} location / {}', 'duplicate location "/"'],
  ['location ^~ /a {} location /a {}', 'duplicate location "/a"'],
  ['location = /a {} location =/a {}', 'duplicate location "/a"'],
  ['location /a { location /a/b {} location /a/b {} }', 'duplicate location "/a/b"'],
  ['location x /a {}', 'invalid location modifier "x"'],
  ['location ~~ /a {}', 'invalid location modifier "~~"'],
  ['location ~ ( {}', 'pcre2_compile() failed: missing closing parenthesis in "("'],
  ['location = /a { location /a/b {} }', 'location "/a/b" cannot be inside the exact location "/a"'],
  ['location @a { location /a {} }', 'location "/a" cannot be inside the named location "@a"'],
  ['location /a { location @b {} }', 'named location "@b" can be on the server level only'],
  ['location /a { location /b {} }', 'location "/b" is outside location "/a"'],
  ['location /a { location = /b {} }', 'location "/b" is outside location "/a"'],
  ['location ~ a { location /b {} }', 'location "/b" is outside location "a"'],
  ['location a b c {}', 'invalid number of arguments in "location" directive'],
  ['location / ;', 'directive "location" has no opening "{"'],
];

const accepted = [
  'location = / {} location / {} location ~ / {} location ~ / {}',
  'location ~ a {} location ~* a {}',
  'location @a {} location @a {}',
  'location /a { location ^~ /ab {} location ~ b {} location /a {} }',
  'location ~ ^/a { location ^/ab {} }',
];

describe('location blocks', () => {
  for (const [locations, reason] of refused) {
    it(locations, () => assert.equal(verdictOf(`server { ${locations} }`), reason));
  }
  for (const locations of accepted)
    it(locations, () => assert.equal(verdictOf(`server { ${locations} }`), ''));

  it('of one name are reported where the second begins', () =>
    assert.equal(errorLine('server {\nlocation /a {}\nlocation /b {}\nlocation /a {}\n}'), 4));
});
