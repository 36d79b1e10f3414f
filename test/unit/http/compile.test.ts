import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { core } from '../../../src/http/core-conf.ts';
import { enterLocation } from '../../../src/http/enter-location.ts';
import type { Location } from '../../../src/http/location.ts';
import type { AnyHttpModule } from '../../../src/http/module.ts';
import { httpModules } from '../../../src/http/modules/index.ts';
import { loadHttp, locationAt, requestTo, serverAt, verdictOf } from './http-rig.ts';

describe('the levels of a configuration', () => {
  const build = loadHttp(`
    send_timeout 5s;
    client_max_body_size 7;
    error_page 404 /http;
    error_page 500 /also;
    server {
      client_max_body_size 8;
      location /plain {}
      location /set { send_timeout 6s; root /r; location /set/inner { etag off; } }
      location /pages { error_page 403 /own; }
      location /types { types { a/b c; } default_type x/y; }
    }
    server { error_page 404 /server; location /x {} }
  `);
  const at = (name: string): Location => locationAt(build, name);

  it('are inherited where nothing is set', () => {
    const { core: conf } = at('location /plain');
    assert.deepEqual([conf.send_timeout, conf.client_max_body_size, conf.etag], [5000, 8, true]);
  });

  it('are set from the outermost block to the innermost', () => {
    const inner = at('location /set/inner').core;
    assert.deepEqual([inner.send_timeout, inner.client_max_body_size, inner.etag], [6000, 8, false]);
    assert.deepEqual([inner.files.path.source, at('location /set').core.etag], ['/r', true]);
    assert.equal(at('location /plain').core.files.path.source, '/prefix/html');
  });

  it('take a list whole or not at all', () => {
    const pages = (location: Location) => location.core.error_pages.length;
    assert.equal(pages(at('location /plain')), 2);
    assert.equal(pages(at('location /pages')), 1);
    assert.equal(pages(at('location /x')), 1);
    assert.equal(at('location /plain').core.error_pages, serverAt(build).runtime.location.core.error_pages);
  });

  it('take the types whole too', () => {
    const { core: conf } = at('location /types');
    assert.deepEqual([[...conf.type_map], conf.default_type], [[['c', 'a/b']], 'x/y']);
    assert.equal(at('location /plain').core.type_map.get('html'), 'text/html');
  });

  it('share one object where a block sets nothing of a module', () => {
    const around = serverAt(build).runtime.location;
    assert.equal(at('location /plain').confOf(core).client_max_body_size, 8);
    assert.equal(at('location /plain').core.type_map, around.core.type_map);
    assert.notEqual(at('location /set').core, around.core);
  });

  it('hold what a module derives under the names that it announces', () => {
    for (const module of httpModules.filter(({ derived }: AnyHttpModule) => derived)) {
      const { derived = [], directives }: AnyHttpModule = module;
      const conf = new Map<string, unknown>(Object.entries(at('location /set').confOf(module)));
      const rows = Object.entries(directives).flatMap(([name, { kind }]) => (kind === 'value' ? [name] : []));
      assert.deepEqual([...conf.keys()].sort(), [...rows, ...derived].sort(), module.name);
      for (const name of derived) assert.notEqual(conf.get(name), undefined, `${module.name} ${name}`);
    }
  });

  it('of one server do not reach the other', () => {
    assert.equal(at('location /x').core.client_max_body_size, 7);
  });

  it('keep `internal` to the location', () => {
    const { core: outer } = locationAt(
      loadHttp('server { location /a { internal; location /a/b {} } }'),
      'location /a',
    );
    const inner = locationAt(
      loadHttp('server { location /a { internal; location /a/b {} } }'),
      'location /a/b',
    );
    assert.deepEqual([outer.internal, inner.core.internal], [true, false]);
  });
});

describe('shared configurations', () => {
  it('are one for all locations that set nothing', () => {
    const build = loadHttp(
      'server { location /a {} location /b { location /b/c {} } location /d { etag off; } }',
    );
    const [a, b, c, d] = ['/a', '/b', '/b/c', '/d'].map((name) => locationAt(build, `location ${name}`).core);
    assert.ok(a && a === b && b === c);
    assert.notEqual(a, d);
  });
});

describe('handlers', () => {
  it('stand in the locations that ask for them', () => {
    const build = loadHttp(`server {
      location /plain {}
      location /deny { deny all; location /deny/inner {} }
      location /pass { proxy_pass http://127.0.0.1:1; location /pass/inner {} }
      location /rewrite { return 200; }
    }`);
    const of = (name: string) => locationAt(build, `location ${name}`);
    const plain = of('/plain');
    assert.deepEqual([plain.rewrite.length, plain.access.length, plain.content], [0, 0, undefined]);
    assert.equal(of('/deny').access.length, 1);
    assert.equal(of('/deny/inner').access.length, 1, 'access rules are inherited');
    assert.ok(of('/pass').content);
    assert.equal(of('/pass/inner').content, undefined, 'a content handler is not');
    assert.deepEqual([of('/rewrite').rewrite.length, of('/plain').rewrite.length], [1, 0]);
  });
  it('of the server run before any location is chosen', () => {
    const server = serverAt(loadHttp('server { return 200; location / {} }')).runtime;
    assert.equal(server.serverRewrite.length, 1);
    assert.equal(serverAt(loadHttp('server { location / {} }')).runtime.serverRewrite.length, 0);
  });
});

describe('if', () => {
  it('is a level of its own below its location', () => {
    const build = loadHttp(`server {
      location / { send_timeout 4s; etag off; if ($arg_a) { root /if; } }
    }`);
    const inner = locationAt(build, 'if ($arg_a)');
    assert.equal(inner.kind, 'if');
    assert.deepEqual(
      [inner.core.send_timeout, inner.core.etag, inner.core.files.path.source],
      [4000, false, '/if'],
    );
    assert.equal(locationAt(build, 'location /').core.files.path.source, '/prefix/html');
  });
  it('is no location that a path can come to', () => {
    const build = loadHttp('server { location / { if ($arg_a) { root /if; } } }');
    const table = serverAt(build).runtime.locations;
    assert.equal(table.prefixes.length, 1);
    assert.equal(table.prefixes[0]?.inner, undefined);
  });
});

describe('limit_except', () => {
  const build = loadHttp(
    'server { location /a { send_timeout 4s; limit_except get post { deny all; } } location /b {} }',
  );
  const location = locationAt(build, 'location /a');
  const table: readonly (readonly [method: string, limited: boolean])[] = [
    ['GET', false],
    ['HEAD', false],
    ['POST', false],
    ['PUT', true],
    ['get', true],
    ['X', true],
  ];
  for (const [method, limited] of table) {
    it(method, () => {
      const request = requestTo(serverAt(build).runtime, build.variables.slots);
      request.method = method;
      enterLocation(request, location);
      assert.equal(request.location, limited ? location.limit?.location : location);
    });
  }
  it('is a level of its own below its location', () => {
    const inner = location.limit?.location;
    assert.deepEqual(
      [inner?.kind, inner?.core.send_timeout, inner?.access.length],
      ['limit_except', 4000, 1],
    );
    assert.equal(location.access.length, 0);
    assert.equal(locationAt(build, 'location /b').limit, undefined);
  });

  const refused: readonly (readonly [body: string, reason: string])[] = [
    ['limit_except FOO { deny all; }', 'invalid method "FOO"'],
    ['limit_except { deny all; }', 'invalid number of arguments in "limit_except" directive'],
    ['limit_except GET {} limit_except POST {}', '"limit_except" directive is duplicate'],
    ['set $x 1; if ($x) { limit_except GET {} }', '"limit_except" directive is not allowed here'],
    ['limit_except GET { location /a {} }', '"location" directive is not allowed here'],
  ];
  for (const [body, reason] of refused) {
    it(body, () => assert.equal(verdictOf(`server { location / { ${body} } }`), reason));
  }
  it('belongs to a location', () =>
    assert.equal(
      verdictOf('server { limit_except GET {} }'),
      '"limit_except" directive is not allowed here',
    ));
});
