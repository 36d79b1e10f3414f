/** The FastCGI record protocol as a responder's client: parameters, body, split records, stderr, statuses, php-fpm. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FcgiRequest } from '../kit/fcgi-backend.ts';
import { startFcgiBackend } from '../kit/fcgi-backend.ts';
import { answer, endRequest, record, STDERR, STDOUT } from '../kit/fcgi-records.ts';
import { startResponder } from '../kit/libfcgi.ts';
import { startPhpFpm } from '../kit/php-fpm.ts';
import { startPool } from '../kit/pool-bench.ts';
import { IS_NGINX, startProxy } from '../kit/proxy.ts';
import type { Owner } from '../kit/rig.ts';
import { rigFor } from '../kit/rig.ts';
import { needs } from '../kit/tools.ts';

/** A responder that records its requests, behind a location with these directives. */
async function start(owner: Owner, directives: string, bytes = answer('Content-Type: text/plain\r\n\r\nok')) {
  const rig = rigFor(owner);
  const requests: FcgiRequest[] = [];
  const backend = await startFcgiBackend(rig, (request) => {
    requests.push(request);
    return bytes;
  });
  const proxy = await startProxy(rig, {
    allowAlert: /fastcgi request record is too big/,
    http: `server {
      listen 127.0.0.1:%port%; server_name named;
      large_client_header_buffers 8 64k; client_header_buffer_size 4k;
      location / { fastcgi_pass 127.0.0.1:${backend.port}; ${directives} }
    }`,
  });
  return { proxy, requests };
}

describe('the request', () => {
  test('carries parameters, and HTTP_ ones for all headers', async (t) => {
    const { proxy, requests } = await start(
      t,
      `fastcgi_param A "x $request_method"; fastcgi_param EMPTY ""; fastcgi_param MAYBE $arg_none if_not_empty;
       fastcgi_param REQUEST_URI $request_uri;`,
    );
    await proxy.get(
      '/p?q=1',
      'X-Some-Header: v\r\nCookie: a=1\r\nCookie: b=2\r\nX-Twice: 1\r\nX-Twice: 2\r\n',
    );
    const params = requests[0]?.params;
    assert.equal(params?.get('A'), 'x GET');
    assert.equal(params?.get('EMPTY'), '');
    assert.equal(params?.has('MAYBE'), false);
    assert.equal(params?.get('REQUEST_URI'), '/p?q=1');
    assert.equal(params?.get('HTTP_X_SOME_HEADER'), 'v');
    assert.equal(params?.get('HTTP_COOKIE'), 'a=1; b=2');
    assert.equal(params?.get('HTTP_X_TWICE'), '1, 2');
    assert.equal(params?.get('HTTP_HOST'), 'localhost');
  });

  test('fastcgi_index, fastcgi_split_path_info and the script names', async (t) => {
    const { proxy, requests } = await start(
      t,
      `root /srv; fastcgi_index index.php; fastcgi_split_path_info ^(.+\\.php)(/.*)$;
       fastcgi_param SCRIPT $document_root$fastcgi_script_name; fastcgi_param PATH $fastcgi_path_info;`,
    );
    await proxy.get('/a.php/b/c');
    await proxy.get('/dir/');
    const seen = requests.map(({ params }) => [params.get('SCRIPT'), params.get('PATH')]);
    assert.deepEqual(seen, [
      ['/srv/a.php', '/b/c'],
      ['/srv/dir/index.php', ''],
    ]);
  });

  test('parameters over 64 KiB are split into records, none of them lost', async (t) => {
    const { proxy, requests } = await start(t, `fastcgi_param LONG $http_x_long;`);
    const long = Array.from({ length: 60_000 }, (_, i) => String.fromCharCode(97 + (i % 26))).join('');
    const got = await proxy.get('/', `X-Long: ${long}\r\nX-More: ${long}\r\n`);
    if (IS_NGINX) {
      // nginx sends all parameters in one record and refuses what does not fit.
      assert.equal(got.status, 500);
      await proxy.logged(/fastcgi request record is too big/);
      return;
    }
    assert.equal(got.status, 200);
    assert.equal(requests[0]?.params.get('LONG'), long);
    assert.equal(requests[0]?.params.get('HTTP_X_LONG'), long);
    assert.equal(requests[0]?.params.get('HTTP_X_MORE'), long);
    assert.ok((requests[0]?.paramsRecords ?? 0) >= 4);
  });

  for (const buffering of ['on', 'off']) {
    test(`a large body arrives whole (fastcgi_request_buffering ${buffering})`, async (t) => {
      const { proxy, requests } = await start(
        t,
        `fastcgi_param CONTENT_LENGTH $content_length; client_max_body_size 0; fastcgi_request_buffering ${buffering};`,
      );
      const body = 'abcdefghij'.repeat(50_000);
      const client = await proxy.connect();
      const got = await client.request(
        `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      assert.equal(got.status, 200);
      assert.equal(requests[0]?.stdin === body, true);
      assert.equal(requests[0]?.params.get('CONTENT_LENGTH'), '500000');
    });
  }

  test('a chunked body gets its length before it is sent', async (t) => {
    const { proxy, requests } = await start(t, `fastcgi_param CONTENT_LENGTH $content_length;`);
    const client = await proxy.connect();
    await client.request(
      'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
    );
    assert.equal(requests[0]?.params.get('CONTENT_LENGTH'), '3');
    assert.equal(requests[0]?.stdin, 'abc');
  });
});

describe('the reply', () => {
  const cases: readonly [name: string, bytes: Buffer, status: number, body: string][] = [
    ['without Status is 200', answer('X: y\r\n\r\nok'), 200, 'ok'],
    ['Status', answer('Status: 404 Nope\r\n\r\ngone'), 404, 'gone'],
    ['Status without a text', answer('Status: 201\r\n\r\nmade'), 201, 'made'],
    ['Location without Status is a redirect', answer('Location: /there\r\n\r\n'), 302, ''],
    ['bare newlines', answer('Status: 200 OK\nX: y\n\nok'), 200, 'ok'],
    ['no header at all', answer('rubbish'), 502, ''],
    ['nothing', Buffer.concat([record(STDOUT), endRequest()]), 502, ''],
    ['only stderr', Buffer.concat([record(STDERR, 'oops'), endRequest(1)]), 502, ''],
    ['a record of another version', Buffer.from('2345678901234567'), 502, ''],
    ['an unknown record type', record(99, 'x'), 502, ''],
  ];
  for (const [name, bytes, status, body] of cases) {
    test(`${name}: ${status}`, async (t) => {
      const { proxy } = await start(t, '', bytes);
      const got = await proxy.get('/');
      assert.equal(got.status, status);
      if (body !== '') {
        assert.equal(got.body, body);
      }
    });
  }

  test('stderr goes to the error log, and its parts are not in the body', async (t) => {
    const { proxy } = await start(
      t,
      '',
      Buffer.concat([
        record(STDERR, 'first complaint'),
        record(STDOUT, 'X: y\r\n\r\none '),
        record(STDERR, 'second complaint\nwith a line'),
        record(STDOUT, 'two'),
        record(STDOUT),
        endRequest(),
      ]),
    );
    assert.equal((await proxy.get('/')).body, 'one two');
    await proxy.logged(
      /\[error\].*FastCGI sent in stderr: "first complaint" while reading response header from upstream/,
    );
    await proxy.logged(/\[error\].*FastCGI sent in stderr: "second complaint/);
  });

  test('fastcgi_catch_stderr makes it a failure', async (t) => {
    const { proxy } = await start(
      t,
      'fastcgi_catch_stderr "PHP Fatal";',
      Buffer.concat([record(STDERR, 'PHP Fatal error: x'), answer('X: y\r\n\r\nok')]),
    );
    assert.equal((await proxy.get('/')).status, 502);
  });

  test('fastcgi_intercept_errors', async (t) => {
    const { proxy } = await start(
      t,
      `fastcgi_intercept_errors on; error_page 404 =200 @own; }
       location @own { return 200 own;`,
      answer('Status: 404\r\n\r\nbackend'),
    );
    const got = await proxy.get('/');
    assert.deepEqual([got.status, got.body], [200, 'own']);
  });

  test('fastcgi_hide_header, and Status is never passed on', async (t) => {
    const { proxy } = await start(
      t,
      'fastcgi_hide_header X-Gone;',
      answer('Status: 404\r\nX-Gone: x\r\nX-There: y\r\n\r\nbackend'),
    );
    const got = await proxy.get('/');
    assert.equal(got.status, 404);
    assert.deepEqual(
      ['status', 'x-gone', 'x-there'].map((name) => got.headers.has(name)),
      [false, false, true],
    );
  });

  for (const buffering of ['on', 'off']) {
    test(`split at every offset (fastcgi_buffering ${buffering})`, async (t) => {
      const text = 'Status: 200 OK\r\nX-A: b\r\n\r\nhello';
      const bytes = Buffer.concat([
        record(STDERR, 'e', 3),
        record(STDOUT, text.slice(0, 7), 1),
        record(STDOUT, text.slice(7), 5),
        record(STDOUT, ' world'),
        record(STDOUT),
        endRequest(),
      ]);
      let at = 0;
      const { ask, backend } = await startPool(t, {
        location: `fastcgi_buffering ${buffering};`,
        fcgi: async (_, wire) => {
          wire.send(bytes.subarray(0, at));
          await new Promise((resolve) => setTimeout(resolve, 2));
          wire.send(bytes.subarray(at));
          return undefined;
        },
      });
      for (at = 1; at < bytes.length; at++) {
        const got = await ask('/');
        assert.deepEqual(
          [got.status, got.headers.get('x-a'), got.body],
          [200, 'b', 'hello world'],
          `at ${at}`,
        );
      }
      assert.equal(backend.accepted, 1);
    });
  }

  test('a large reply in records of every size', async (t) => {
    const body = 'z'.repeat(300_000);
    const parts = [record(STDOUT, 'X: y\r\n\r\n')];
    for (let at = 0, size = 1; at < body.length; at += size, size = Math.min(size * 2, 65_535)) {
      parts.push(record(STDOUT, body.slice(at, at + size), size % 8));
    }
    const { proxy } = await start(t, '', Buffer.concat([...parts, record(STDOUT), endRequest()]));
    assert.equal((await proxy.get('/')).body === body, true);
  });
});

test('of a reply that ends too early the client gets what came', async (t) => {
  const rig = rigFor(t);
  const backend = await startFcgiBackend(rig, () => answer('Content-Length: 9\r\n\r\nshort'));
  const proxy = await startProxy(rig, {
    http: `server { listen 127.0.0.1:%port%;
      location / { fastcgi_pass 127.0.0.1:${backend.port}; }
      location /at-once { fastcgi_buffering off; fastcgi_pass 127.0.0.1:${backend.port}; } }`,
  });
  for (const path of ['/', '/at-once']) {
    const client = await proxy.connect();
    client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    assert.match(await client.readToEnd(), /\r\n\r\nshort$/);
  }
  await proxy.logged(/upstream prematurely closed FastCGI/);
});

describe('libfcgi', { skip: needs('libfcgi') }, () => {
  test('large replies, statuses, stderr, an early reply and a crash', async (t) => {
    const rig = rigFor(t);
    const port = await startResponder(rig, { threads: 2 });
    const proxy = await startProxy(rig, {
      http: `upstream pool { server 127.0.0.1:${port}; keepalive 4; }
        server { listen 127.0.0.1:%port%; client_max_body_size 0;
          location / { fastcgi_pass pool; fastcgi_keep_conn on; fastcgi_param QUERY_STRING $query_string;
            fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_LENGTH $content_length; } }`,
    });
    assert.equal((await proxy.get('/?size=1000000')).body.length, 1_000_000);
    assert.equal((await proxy.get('/?size=1000000&nolength')).body.length, 1_000_000);
    assert.equal((await proxy.get('/?status=503')).status, 503);
    assert.equal((await proxy.get('/?stderr=20&env=REQUEST_METHOD')).body, 'GET');
    await proxy.logged(/FastCGI sent in stderr: "x{20}"/);
    const client = await proxy.connect();
    const body = 'b'.repeat(200_000);
    const posted = await client.request(
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.match(posted.body, /body 200000/);
    const crashed = await proxy.connect();
    crashed.send('GET /?exit HTTP/1.1\r\nHost: a\r\n\r\n');
    await crashed.readToEnd();
    await proxy.logged(/upstream prematurely closed FastCGI|upstream prematurely closed connection/);
  });
});

describe('php-fpm', { skip: needs('php-fpm') }, () => {
  for (const unix of [false, true]) {
    test(`runs scripts with the parameters of fastcgi.conf (${unix ? 'unix socket' : 'TCP'})`, async (t) => {
      const rig = rigFor(t);
      const php = await startPhpFpm(
        rig,
        {
          'index.php':
            '<?php header("X-Path: " . ($_SERVER["PATH_INFO"] ?? "")); echo $_SERVER["REQUEST_METHOD"], " ", $_SERVER["SCRIPT_NAME"], " ", $_SERVER["QUERY_STRING"], " ", strlen(file_get_contents("php://input"));',
          'fail.php': '<?php http_response_code(418); error_log("complaint"); echo "failed";',
        },
        { unix, children: 2 },
      );
      const proxy = await startProxy(rig, {
        http: `upstream php { server ${php.address}; keepalive 4; }
          server { listen 127.0.0.1:%port%; root ${php.root}; index index.php; client_max_body_size 0;
            location / { try_files $uri $uri/ =404; }
            location ~ \\.php(/|$) {
              fastcgi_split_path_info ^(.+?\\.php)(/.*)$;
              set $path_info $fastcgi_path_info;
              fastcgi_pass php; fastcgi_keep_conn on;
              fastcgi_param PATH_INFO $path_info;
              fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
              fastcgi_param SCRIPT_NAME $fastcgi_script_name;
              fastcgi_param REQUEST_METHOD $request_method;
              fastcgi_param QUERY_STRING $query_string;
              fastcgi_param CONTENT_LENGTH $content_length;
              fastcgi_param CONTENT_TYPE $content_type;
            }
          }`,
      });
      assert.equal((await proxy.get('/?a=b')).body, 'GET /index.php a=b 0');
      const path = await proxy.get('/index.php/x/y');
      assert.equal(path.headers.get('x-path'), '/x/y');
      assert.match(path.headers.get('x-powered-by') ?? '', /^PHP/);
      const client = await proxy.connect();
      const body = 'p'.repeat(300_000);
      const posted = await client.request(
        `POST /index.php HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      assert.equal(posted.body, 'POST /index.php  300000');
      const failed = await proxy.get('/fail.php');
      assert.deepEqual([failed.status, failed.body], [418, 'failed']);
      await proxy.logged(/FastCGI sent in stderr: "PHP message: complaint"/);
    });
  }
});
