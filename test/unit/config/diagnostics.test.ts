import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearest, renderErrors } from '../../../src/config/diagnostics.ts';
import { dump } from '../../../src/config/dump.ts';
import { loadTexts } from './modules.ts';

test('errors are lines as nginx prints them', () => {
  const { errors, warnings } = loadTexts({
    'nginx.conf': 'events { }\nhttp {\n  proxy_next_upstream error error;\n  proxy_buffers 8 x;\n}\n',
  });
  assert.equal(
    renderErrors([...warnings, ...errors]),
    `nginx: [warn] duplicate value "error" in nginx.conf:3
nginx: [emerg] "proxy_buffers" directive invalid value in nginx.conf:4
`,
  );
});

test('a terminal also gets the line, a caret and the nearest name', () => {
  const { errors, record } = loadTexts({
    'nginx.conf': 'events { }\nhttp {\n  root\n    a b;\n\tproxy_bufers 8 4k;\n}\n',
  });
  assert.equal(
    renderErrors(errors, record.files),
    `nginx: [emerg] invalid number of arguments in "root" directive in nginx.conf:4
      root
      ^
nginx: [emerg] unknown directive "proxy_bufers" in nginx.conf:5
     proxy_bufers 8 4k;
     ^
    did you mean "proxy_buffers"?
`,
  );
});

test('a directive in the wrong place is told where it may stand', () => {
  const { errors, record } = loadTexts({ 'nginx.conf': 'events { }\nlisten 80;\n' });
  assert.match(renderErrors(errors, record.files), /it may stand in: server, /);
});

const NAMES = ['proxy_pass', 'server_name', 'listen', 'root'];
for (const [name, expected] of [
  ['proxy_pas', 'proxy_pass'],
  ['proxypass', 'proxy_pass'],
  ['lisetn', 'listen'],
  ['sevrer_name', 'server_name'],
  ['upstream', undefined],
  ['rot', 'root'],
  ['x', undefined],
] as const) {
  test(`the name nearest to ${name} is ${expected}`, () => assert.equal(nearest(name, NAMES), expected));
}

test('a dump holds each file once and can be read again', () => {
  const { record } = loadTexts({
    '/c/nginx.conf': 'include a.conf;\ninclude a.conf;\nevents { }\n',
    '/c/a.conf': '# a',
  });
  const text = dump(record.files);
  assert.equal(
    text,
    '# configuration file /c/nginx.conf:\ninclude a.conf;\ninclude a.conf;\nevents { }\n\n# configuration file /c/a.conf:\n# a\n',
  );
  assert.deepEqual(loadTexts({ '/c/nginx.conf': text, '/c/a.conf': '# a' }).errors, []);
});
