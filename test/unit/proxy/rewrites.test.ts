import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { resolve } from '../../../src/config/contract.ts';
import { passApplies } from '../../../src/http/upstream-directives.ts';
import { ConfRig, makeRequest, proxy } from './conf-rig.ts';

type Statement = readonly [name: string, ...words: string[]];

interface Case {
  readonly statements: readonly Statement[];
  readonly from: string;
  readonly to: string;
  readonly location?: string;
}

const VARIABLES = { host: 'front.example', scheme: 'https', secure: 'secure', nothing: '' };

/** The location's rewriting functions after the statements. */
const rewriters = ({ statements, location = '/dir/' }: Case) => {
  const rig = new ConfRig(VARIABLES);
  const scope = rig.location('prefix', location);
  for (const [name, ...words] of statements) rig.set(proxy, scope, name, ...words);
  rig.build.variables.bind();
  return resolve(proxy, [rig.http, scope]).settings;
};

const PASS: Statement = ['proxy_pass', 'http://127.0.0.1:8081/var/'];

const REDIRECTS: readonly Case[] = [
  { statements: [PASS], from: 'http://127.0.0.1:8081/var/x', to: '/dir/x' },
  { statements: [PASS], from: 'http://127.0.0.1:8081/other', to: 'http://127.0.0.1:8081/other' },
  { statements: [['proxy_pass', 'http://u']], from: 'http://u/x', to: '/x' },
  { statements: [['proxy_pass', 'http://u']], from: 'http://ux/x', to: 'http://ux/x' },
  {
    statements: [PASS, ['proxy_redirect', 'off']],
    from: 'http://127.0.0.1:8081/var/x',
    to: 'http://127.0.0.1:8081/var/x',
  },
  {
    statements: [['proxy_redirect', 'http://$host/a', '/b'], PASS],
    from: 'http://front.example/a/c',
    to: '/b/c',
  },
  {
    statements: [PASS, ['proxy_redirect', 'http://n/', '/n/'], ['proxy_redirect', 'default']],
    from: 'http://127.0.0.1:8081/var/y',
    to: '/dir/y',
  },
  {
    statements: [['proxy_redirect', '~^http://[a-z]+/(.+)$', '$scheme://$host/$1']],
    from: 'http://inner/p?q',
    to: 'https://front.example/p?q',
  },
  { statements: [['proxy_redirect', '~^HTTP://(.+)$', '/$1']], from: 'http://inner', to: 'http://inner' },
  { statements: [['proxy_redirect', '~*^HTTP://(.+)$', '/$1']], from: 'http://inner', to: '/inner' },
  {
    statements: [
      ['proxy_redirect', '/a', '/b'],
      ['proxy_redirect', '/', '/c/'],
    ],
    from: '/x',
    to: '/c/x',
  },
];

describe('proxy_redirect', () => {
  for (const kase of REDIRECTS) {
    it(`${kase.statements.map((words) => words.join(' ')).join('; ')}: ${kase.from}`, () => {
      const { rewriteRedirect } = rewriters(kase);
      assert.equal(rewriteRedirect?.(makeRequest(), kase.from) ?? kase.from, kase.to);
    });
  }
});

const domain = (...words: string[]): Statement => ['proxy_cookie_domain', ...words];
const path = (...words: string[]): Statement => ['proxy_cookie_path', ...words];
const flags = (...words: string[]): Statement => ['proxy_cookie_flags', ...words];

const COOKIES: readonly Case[] = [
  {
    statements: [domain('www.example.org', '.example.com')],
    from: 'v=1; domain=www.Example.org',
    to: 'v=1; domain=example.com',
  },
  {
    statements: [domain('www.example.org', 'example.com')],
    from: 'v=1;Domain=.www.example.org;x',
    to: 'v=1; Domain=.example.com; x',
  },
  { statements: [domain('.$host', '$scheme')], from: 'v=1; domain=front.example', to: 'v=1; domain=https' },
  { statements: [domain('~\\.(com|net)$', '.$1')], from: 'v=1; domain=a.NET', to: 'v=1; domain=.NET' },
  { statements: [domain('other', 'x')], from: 'v=1;domain=kept', to: 'v=1;domain=kept' },
  {
    statements: [path('/old/', '/new/')],
    from: 'v=path=1; path=/old/x ; Secure',
    to: 'v=path=1; path=/new/x; Secure',
  },
  { statements: [path('~*^/OLD(/.*)$', '$1')], from: 'v; path=/old/x', to: 'v; path=/old/x' },
  { statements: [path('~*^/OLD(/.*)$', '$1')], from: 'v=; path=/old/x', to: 'v=; path=/x' },
  {
    statements: [flags('v', 'secure', 'httponly', 'samesite=strict')],
    from: 'v=1',
    to: 'v=1; Secure; HttpOnly; SameSite=Strict',
  },
  {
    statements: [flags('V', 'nosecure', 'nosamesite')],
    from: 'v=1; Secure; path=/; samesite=lax',
    to: 'v=1; path=/',
  },
  { statements: [flags('~^x', 'secure')], from: 'v=1', to: 'v=1' },
  { statements: [flags('~.', '$secure', '$nothing')], from: 'v=1;  a', to: 'v=1; a; Secure' },
  { statements: [flags('v', 'samesite=none')], from: 'v=1; SameSite=Lax', to: 'v=1; SameSite=None' },
  { statements: [flags('v', 'samesite=lax')], from: 'v=1; samesite=lax', to: 'v=1; samesite=lax' },
  { statements: [flags('off'), path('off')], from: 'v=1', to: 'v=1' },
];

describe('cookies of upstream servers', () => {
  for (const kase of COOKIES) {
    it(`${kase.statements.map((words) => words.join(' ')).join('; ')}: ${kase.from}`, () => {
      const { rewriteCookie } = rewriters(kase);
      assert.equal(rewriteCookie?.(makeRequest(), kase.from) ?? kase.from, kase.to);
    });
  }
});

const WRONG: readonly (readonly [reason: string, ...statements: Statement[]])[] = [
  [
    '"proxy_redirect default" should be placed after the "proxy_pass" directive',
    ['proxy_redirect', 'default'],
  ],
  [
    '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
    ['proxy_pass', 'http://$host'],
    ['proxy_redirect', 'default'],
  ],
  ['"proxy_redirect" directive is duplicate', ['proxy_redirect', 'off'], ['proxy_redirect', '/a', '/b']],
  ['"proxy_redirect" directive is duplicate', ['proxy_redirect', '/a', '/b'], ['proxy_redirect', 'off']],
  ['invalid parameter "x"', ['proxy_redirect', 'x']],
  ['invalid parameter "default"', ['proxy_cookie_path', 'default']],
  ['invalid URL prefix', ['proxy_pass', 'ftp://x']],
  ['invalid port in upstream "x:99999"', ['proxy_pass', 'http://x:99999']],
  ['no host in upstream "/"', ['proxy_pass', 'http:///']],
  ['invalid value "3"', ['proxy_http_version', '3']],
];

describe('mistakes', () => {
  for (const [reason, ...statements] of WRONG) {
    it(reason, () => {
      const rig = new ConfRig(VARIABLES);
      const scope = rig.location('prefix', '/');
      const read = (): void => {
        for (const [name, ...words] of statements) rig.set(proxy, scope, name, ...words);
      };
      assert.throws(read, { message: reason });
    });
  }

  const NOWHERE = ['regex', 'named', 'if'] as const;
  for (const kind of NOWHERE) {
    it(`a URI in a location of kind ${kind}`, () => {
      const rig = new ConfRig();
      const scope = rig.location(kind, kind === 'if' ? '' : 'x');
      assert.throws(
        () => rig.set(proxy, scope, 'proxy_pass', 'http://x/uri'),
        /cannot have URI part in location given/,
      );
      rig.set(proxy, scope, 'proxy_pass', 'http://x');
    });
  }

  const BUFFERS: readonly (readonly [RegExp, ...Statement[]])[] = [
    [/there must be at least 2 "proxy_buffers"/, ['proxy_buffers', '1', '4k']],
    [/"proxy_busy_buffers_size" must be equal to or greater than/, ['proxy_busy_buffers_size', '1k']],
    [
      /"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one/,
      ['proxy_buffers', '2', '4k'],
    ],
    [/"proxy_max_temp_file_size" must be equal to zero to disable/, ['proxy_max_temp_file_size', '1k']],
  ];
  for (const [reason, ...statements] of BUFFERS) {
    it(String(reason), () => {
      const rig = new ConfRig();
      for (const [name, ...words] of statements) rig.set(proxy, rig.http, name, ...words);
      assert.throws(() => resolve(proxy, [rig.http]), { message: reason });
    });
  }
});

describe('what blocks inside inherit', () => {
  it('the default redirect of the location around', () => {
    const rig = new ConfRig();
    const outer = rig.location('prefix', '/a/');
    rig.set(proxy, outer, 'proxy_pass', 'http://outer/');
    const inner = rig.location('prefix', '/a/b/', outer);
    rig.set(proxy, inner, 'proxy_pass', 'http://inner/');
    const conf = resolve(proxy, [rig.http, outer, inner]);
    assert.equal(conf.settings.rewriteRedirect?.(makeRequest(), 'http://outer/x'), '/a/x');
    assert.equal(conf.proxy_pass?.url, 'http://inner/');
  });

  it('proxy_pass: if blocks do, locations do not', () => {
    const rig = new ConfRig();
    const outer = rig.location('prefix', '/a/');
    rig.set(proxy, outer, 'proxy_pass', 'http://outer/');
    const test = rig.location('if', '', outer);
    const inner = rig.location('prefix', '/a/b', outer);
    const { proxy_pass: pass } = resolve(proxy, [rig.http, outer]);
    assert.ok(pass);
    assert.ok(passApplies(pass.scope, outer));
    assert.ok(passApplies(pass.scope, test));
    assert.ok(!passApplies(pass.scope, inner));
    assert.equal(rig.build.locations.get(outer)?.autoRedirect, true);
    assert.equal(rig.build.locations.get(inner)?.autoRedirect, false);
  });
});
