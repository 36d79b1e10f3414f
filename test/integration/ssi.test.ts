/** Server side includes: commands, expressions, blocks, waits, errors; also across pieces of a body. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
const ERROR = '[an error occurred while processing the directive]';
const LARGE = 'l'.repeat(300_000);

/** Pages and what the client gets. */
const pages: readonly [name: string, page: string, result: string | RegExp][] = [
  ['plain', 'X', 'X'],
  ['comment', '<!-- no command -->', '<!-- no command -->'],
  ['echo', 'a<!--#echo var="arg_a" -->b', 'a1&amp;2b'.replace('1&amp;2', '1')],
  ['echo-none', '<!--#echo var="arg_nothing" -->', '(none)'],
  ['echo-default', '<!--#echo var="arg_nothing" default="d" -->', 'd'],
  ['echo-empty', '[<!--#echo var="arg_nothing" default="" -->]', '[]'],
  ['echo-entity', '<!--#set var="x" value="<&\\"" --><!--#echo var="x" -->', '&lt;&amp;&quot;'],
  ['echo-url', '<!--#set var="x" value="a b<%" --><!--#echo var="x" encoding="url" -->', 'a%20b%3C%25'],
  ['echo-none-encoding', '<!--#set var="x" value="<" --><!--#echo var="X" encoding="none" -->', '<'],
  [
    'encoding-stays',
    '<!--#set var="x" value="<" --><!--#echo var="x" encoding="none" --><!--#echo var="x" -->',
    '<<',
  ],
  [
    'set-variables',
    '<!--#set var="x" value="${arg_a}-$uri-\\$" --><!--#echo var="x" -->',
    '1-/set-variables.html-$',
  ],
  ['include', '<<!--#include virtual="/part.html?a=2" -->>', '<part 2>'],
  ['include-relative', '<!--#include virtual="part.html" -->', 'part (none)'],
  ['include-file', '<!--#include file="part.html" -->!', 'part (none)!'],
  ['include-variable', '<!--#include virtual="/$arg_p.html" -->', 'part (none)'],
  [
    'include-order',
    '<!--#include virtual="/slow" --><!--#include virtual="/part.html" -->-<!--#include virtual="/slow" -->',
    'slowpart (none)-slow',
  ],
  ['include-wait', '<!--#include virtual="/slow" wait="yes" --><!--#echo var="arg_a" -->', 'slow1'],
  ['include-set', '<!--#include virtual="/slow" set="s" -->[<!--#echo var="s" -->]', '[slow]'],
  ['include-nested', '<!--#include virtual="/include.html" -->', '<part 2>'],
  ['include-404', '<!--#include virtual="/nothing" -->', /404 Not Found/],
  ['include-large', '<!--#include virtual="/large.html" -->.', `${LARGE}.`],
  ['include-unsafe', '<!--#include virtual="/../x" -->', ERROR],
  ['include-no-name', '<!--#include -->', ERROR],
  ['include-both', '<!--#include virtual="/a" file="b" -->', ERROR],
  ['include-bad-wait', '<!--#include virtual="/a" wait="maybe" -->', ERROR],
  ['include-set-stub', '<!--#include virtual="/a" set="x" stub="y" -->', ERROR],
  ['shared-variables', '<!--#include virtual="/setter.html" wait="yes" --><!--#echo var="told" -->', 'told'],
  ['block', 'a<!--#block name="b" -->x<!--#echo var="arg_a" --><!--#endblock -->b', 'ab'],
  [
    'stub-empty',
    '<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/empty.html" stub="b" -->',
    'stub',
  ],
  [
    'stub-404',
    '<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/nothing" stub="b" -->',
    'stub',
  ],
  [
    'stub-unused',
    '<!--#block name="b" -->stub<!--#endblock --><!--#include virtual="/part.html" stub="b" -->',
    'part (none)',
  ],
  ['stub-unknown', '<!--#include virtual="/part.html" stub="nobody" -->', ERROR],
  ['if-true', '<!--#if expr="$arg_a" -->yes<!--#else -->no<!--#endif -->.', 'yes.'],
  ['if-false', '<!--#if expr="$arg_b" -->yes<!--#else -->no<!--#endif -->.', 'no.'],
  ['if-equal', '<!--#if expr="$arg_a = 1" -->yes<!--#endif -->', 'yes'],
  ['if-unequal', '<!--#if expr="$arg_a != 1" -->yes<!--#endif -->.', '.'],
  ['if-equal-tight', '<!--#if expr="$arg_a=1" -->yes<!--#endif -->', 'yes'],
  ['if-variable-right', '<!--#if expr="$arg_a = $arg_a" -->yes<!--#endif -->', 'yes'],
  [
    'if-regex',
    '<!--#if expr="$arg_p = /^p(..)(?P<last>.)/" --><!--#echo var="1" --><!--#echo var="last" --><!--#endif -->',
    'art',
  ],
  ['if-regex-not', '<!--#if expr="$arg_p != /^q/" -->yes<!--#endif -->', 'yes'],
  ['if-regex-bad', '<!--#if expr="$arg_p = /(/" -->yes<!--#endif -->.', `${ERROR}yes${ERROR}.`],
  ['if-slash', '<!--#if expr="$arg_s = \\/x" -->yes<!--#endif -->.', 'yes.'],
  [
    'if-elif',
    '<!--#if expr="$arg_b" -->a<!--#elif expr="$arg_a" -->b<!--#elif expr="$arg_p" -->c<!--#else -->d<!--#endif -->',
    'b',
  ],
  ['if-invalid', '<!--#if expr="$arg_a ~ x" -->yes<!--#endif -->', /^\[an error/],
  ['if-in-if', '<!--#if expr="$arg_a" --><!--#if expr="$arg_a" -->x<!--#endif -->', `${ERROR}x`],
  ['if-includes', '<!--#if expr="$arg_b" --><!--#include virtual="/part.html" --><!--#endif -->.', '.'],
  ['else-alone', '<!--#else -->', ERROR],
  ['endif-alone', '<!--#endif -->', ERROR],
  ['unknown', '<!--#nothing -->', ERROR],
  ['unknown-param', '<!--#echo vars="x" -->', ERROR],
  ['duplicate-param', '<!--#echo var="x" var="y" -->', ERROR],
  ['missing-param', '<!--#echo -->', ERROR],
  ['malformed', '<!--#echo var=x -->.', `${ERROR}.`],
  ['no-closing-brace', '<!--#set var="x" value="${a" -->', ERROR],
  ['errmsg', '<!--#config errmsg="oops" --><!--#nothing -->', 'oops'],
  ['timefmt', '<!--#config timefmt="%Y %% %s" --><!--#echo var="date_gmt" -->', /^\d{4} % \d+$/],
  ['timefmt-s', '<!--#config timefmt="%s" --><!--#echo var="date_local" -->', /^\d{10}$/],
  ['date', '<!--#echo var="date_gmt" -->', /^[A-Z][a-z]+day, \d\d-[A-Z][a-z][a-z]-\d{4} \d\d:\d\d:\d\d GMT$/],
  ['quotes', "<!--#echo var='arg_nothing' default='a\"b' encoding='none' -->", 'a"b'],
  ['tight', '<!--#echo var="arg_a"-->', '1'],
  ['nearly', '<<!<!-<!--<!--#echo var="arg_a" -->', '<<!<!-<!--1'],
];

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(www);
  for (const [name, page] of pages) writeFileSync(join(www, `${name}.html`), page);
  writeFileSync(join(www, 'part.html'), 'part <!--#echo var="arg_a" -->');
  writeFileSync(join(www, 'setter.html'), '<!--#set var="told" value="told" -->');
  writeFileSync(join(www, 'empty.html'), '');
  writeFileSync(join(www, 'large.html'), LARGE);
  writeFileSync(join(www, 'silent.html'), 'a<!--#nothing -->b');
  // One byte at a time: every border of a command falls between two pieces.
  const bytes = await startScript(rig, async (wire) => {
    await wire.readUntil('\r\n\r\n');
    wire.send('HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n');
    for (const char of 'a<!--#echo var="arg_a" --><!--#include virtual="/part.html" -->b<!--x-->') {
      await wire.flush(char);
      await new Promise((resolve) => setImmediate(resolve));
    }
    wire.end();
  });
  const slow = await startScript(rig, async (wire) => {
    await wire.readUntil('\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 30));
    wire.send('HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nslow');
    wire.end();
  });
  proxy = await startProxy(rig, {
    http: `
      types { text/html html; }
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        ssi on;
        location / { }
        location /slow { proxy_pass http://127.0.0.1:${slow.port}; }
        location /bytes { proxy_pass http://127.0.0.1:${bytes.port}; proxy_buffering off; }
        location /silent.html { ssi_silent_errors on; }
        location /kept/ { alias %dir%/www/; ssi_last_modified on; }
        location /loop.html { return 200 '<!--#include virtual="/loop.html" -->'; default_type text/html; }
      }`,
  });
});
after(() => rig.close());

describe('a page', () => {
  for (const [name, page, result] of pages) {
    test(`${name}: ${page}`, async () => {
      const { body } = await proxy.get(`/${name}.html?a=1&p=part&s=/x`);
      if (typeof result === 'string') assert.equal(body, result);
      else assert.match(body, result);
    });
  }

  test('commands in pieces of one byte', async () => {
    assert.equal((await proxy.get('/bytes?a=1')).body, 'a1part (none)b<!--x-->');
  });

  test('errors left out', async () => {
    assert.equal((await proxy.get('/silent.html')).body, 'ab');
  });

  test('a page that includes itself ends', async () => {
    assert.equal((await proxy.get('/loop.html')).body, ERROR);
    await proxy.logged(/subrequests cycle while processing "\/loop\.html"/);
  });

  test('no length, date or tag, unless they are to be kept', async () => {
    const { headers } = await proxy.get('/plain.html');
    assert.equal(headers.get('content-length'), undefined);
    assert.equal(headers.get('last-modified'), undefined);
    assert.equal(headers.get('etag'), undefined);
    const kept = await proxy.get('/kept/plain.html');
    assert.ok(kept.headers.get('last-modified'));
    assert.match(kept.headers.get('etag') ?? '', /^W\//);
  });
});
