import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Request } from '../../../src/http/request.ts';
import { headText } from '../../../src/http/write-head.ts';
import { loadHttp, requestTo, type StreamFacts, serverAt } from './http-rig.ts';

interface Given {
  /** Directives of the server. */
  readonly conf?: string;
  readonly stream?: StreamFacts;
  readonly request?: Partial<Pick<Request, 'method' | 'version' | 'keepAlive'>>;
  readonly host?: string;
  readonly out?: Partial<Request['out']>;
}

const requestFor = ({ conf = '', stream = {}, request = {}, host = '', out = {} }: Given): Request => {
  const server = serverAt(loadHttp(`server { server_name own.test; ${conf} }`)).runtime;
  const made = requestTo(server, 0, stream);
  Object.assign(made, { method: 'GET', keepAlive: true, ...request });
  made.headers.host = host;
  Object.assign(made.out, { status: 200, contentLength: 5, ...out });
  return made;
};

/** The lines behind the status line, without what is the same in all of them. */
const linesOf = (given: Given): readonly string[] => {
  const text = headText(requestFor(given));
  assert.ok(text.endsWith('\r\n\r\n'), 'ends in an empty line');
  const lines = text.slice(0, -4).split('\r\n').slice(1);
  return lines.filter((line) => !/^(?:Server|Date): /.test(line));
};

const KEEP = 'Connection: keep-alive';
const CLOSE = 'Connection: close';
const CHUNKED = 'Transfer-Encoding: chunked';

describe('the first lines of a head', () => {
  const first = (given: Given): string =>
    headText(requestFor(given))
      .replace(/sluice\/[\w.-]+/, 'FULL')
      .replace(/\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT/, 'NOW')
      .split('\r\n')
      .slice(0, 3)
      .join(' | ');
  const table: readonly (readonly [given: Given, lines: string])[] = [
    [{}, 'HTTP/1.1 200 OK | Server: FULL | Date: NOW'],
    [{ out: { status: 404 } }, 'HTTP/1.1 404 Not Found | Server: FULL | Date: NOW'],
    [{ out: { status: 299 } }, 'HTTP/1.1 299  | Server: FULL | Date: NOW'],
    [{ request: { version: 1000 } }, 'HTTP/1.1 200 OK | Server: FULL | Date: NOW'],
    [{ conf: 'server_tokens off;' }, 'HTTP/1.1 200 OK | Server: sluice | Date: NOW'],
    [{ out: { statusLine: '200 Fine' } }, 'HTTP/1.1 200 Fine | Server: FULL | Date: NOW'],
    [{ out: { server: 'theirs', date: 'then' } }, 'HTTP/1.1 200 OK | Server: theirs | Date: then'],
    [{ out: { date: 'then' } }, 'HTTP/1.1 200 OK | Server: FULL | Date: then'],
    [{ out: { server: 'theirs' } }, 'HTTP/1.1 200 OK | Server: theirs | Date: NOW'],
    [
      { out: { withoutServer: true, withoutDate: true } },
      'HTTP/1.1 200 OK | Content-Length: 5 | Connection: keep-alive',
    ],
    [{ out: { withoutServer: true } }, 'HTTP/1.1 200 OK | Date: NOW | Content-Length: 5'],
    [{ out: { withoutDate: true } }, 'HTTP/1.1 200 OK | Server: FULL | Content-Length: 5'],
  ];
  for (const [given, lines] of table) it(JSON.stringify(given), () => assert.equal(first(given), lines));
});

describe('the lines of a head', () => {
  const modified = { lastModified: 784_111_777 };
  const MODIFIED = 'Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT';
  const table: readonly (readonly [given: Given, lines: readonly string[]])[] = [
    [{}, ['Content-Length: 5', KEEP]],
    [{ out: { contentLength: 0 } }, ['Content-Length: 0', KEEP]],
    [{ out: { contentType: 'text/html' } }, ['Content-Type: text/html', 'Content-Length: 5', KEEP]],
    [
      { out: { contentType: 'text/html', charset: 'utf-8' } },
      ['Content-Type: text/html; charset=utf-8', 'Content-Length: 5', KEEP],
    ],
    [{ out: modified }, ['Content-Length: 5', MODIFIED, KEEP]],
    [{ out: { ...modified, status: 206 } }, ['Content-Length: 5', MODIFIED, KEEP]],
    [{ out: { ...modified, status: 404 } }, ['Content-Length: 5', KEEP]],
    // How the body is framed.
    [{ out: { contentLength: -1 } }, [CHUNKED, KEEP]],
    [{ out: { contentLength: -1 }, request: { version: 1000 } }, [CLOSE]],
    [{ request: { version: 1000 } }, ['Content-Length: 5', KEEP]],
    [{ request: { version: 1000, keepAlive: false } }, ['Content-Length: 5', CLOSE]],
    [{ out: { contentLength: -1 }, conf: 'chunked_transfer_encoding off;' }, [CLOSE]],
    [{ out: { trailers: ['A', 'b'] } }, [CHUNKED, KEEP]],
    [{ out: { trailers: ['A', 'b'] }, request: { version: 1000 } }, ['Content-Length: 5', KEEP]],
    [{ request: { keepAlive: false } }, ['Content-Length: 5', CLOSE]],
    [{ out: { status: 204, contentType: 'text/html' } }, [KEEP]],
    [{ out: { status: 304, contentLength: -1, etag: '"x"', ...modified } }, [MODIFIED, KEEP, 'ETag: "x"']],
    [
      { out: { status: 101, contentLength: -1, lines: ['Upgrade', 'x'] } },
      ['Connection: upgrade', 'Upgrade: x'],
    ],
    [{ request: { method: 'HEAD' } }, ['Content-Length: 5', KEEP]],
    [{ request: { method: 'HEAD' }, out: { contentLength: -1 } }, [KEEP]],
    [{ request: { method: 'HEAD', version: 1000 }, out: { contentLength: -1 } }, [KEEP]],
    // keepalive_timeout's second value.
    [{ conf: 'keepalive_timeout 60 30;' }, ['Content-Length: 5', KEEP, 'Keep-Alive: timeout=30']],
    [{ conf: 'keepalive_timeout 60 30;', request: { keepAlive: false } }, ['Content-Length: 5', CLOSE]],
    // The order of all the others.
    [
      {
        out: {
          contentType: 'a/b',
          contentLength: -1,
          ...modified,
          etag: '"x"',
          lines: ['A', '1', 'B', '2', 'A', '3'],
          contentEncoding: 'gzip',
          acceptRanges: true,
          location: 'http://other/',
        },
      },
      [
        'Content-Type: a/b',
        MODIFIED,
        CHUNKED,
        KEEP,
        'Location: http://other/',
        'ETag: "x"',
        'A: 1',
        'B: 2',
        'A: 3',
        'Content-Encoding: gzip',
        'Accept-Ranges: bytes',
      ],
    ],
    [
      { host: 'h', out: { location: '/x', contentLength: -1, ...modified } },
      [MODIFIED, 'Location: http://h/x', CHUNKED, KEEP],
    ],
  ];
  for (const [given, lines] of table)
    it(JSON.stringify(given), () => assert.deepEqual(linesOf(given), lines));

  it('are none in HTTP/0.9', () => assert.equal(headText(requestFor({ request: { version: 9 } })), ''));

  const bodies: readonly (readonly [
    given: Given,
    headerOnly: boolean,
    keepAlive: boolean,
    chunked: boolean,
  ])[] = [
    [{}, false, true, false],
    [{ request: { method: 'HEAD' } }, true, true, false],
    [{ request: { method: 'HEAD', version: 9 } }, true, true, false],
    [{ out: { status: 204 } }, true, true, false],
    [{ out: { status: 304 } }, true, true, false],
    [{ out: { status: 101 } }, true, true, false],
    [{ out: { contentLength: -1 } }, false, true, true],
    [{ out: { contentLength: -1 }, request: { version: 1000 } }, false, false, false],
  ];
  for (const [given, headerOnly, keepAlive, chunked] of bodies) {
    it(`what follows ${JSON.stringify(given)}`, () => {
      const request = requestFor(given);
      headText(request);
      assert.deepEqual(
        [request.headerOnly, request.keepAlive, request.chunkedOut],
        [headerOnly, keepAlive, chunked],
      );
    });
  }
});

describe('Location', () => {
  const table: readonly (readonly [given: Given, location: string])[] = [
    [{}, 'http://192.0.2.2/x'],
    [{ host: 'h' }, 'http://h/x'],
    [{ host: 'h', stream: { localPort: 8080 } }, 'http://h:8080/x'],
    [{ host: 'h', stream: { localPort: 8080 }, conf: 'port_in_redirect off;' }, 'http://h/x'],
    [{ host: 'h', conf: 'server_name_in_redirect on;' }, 'http://own.test/x'],
    [{ host: 'h', conf: 'absolute_redirect off;' }, '/x'],
    [{ host: 'h', stream: { secure: true, localPort: 443 } }, 'https://h/x'],
    [{ host: 'h', stream: { secure: true, localPort: 80 } }, 'https://h:80/x'],
    [{ host: 'h', stream: { secure: false, localPort: 443 } }, 'http://h:443/x'],
    [{ stream: { localAddress: '2001:db8::1' } }, 'http://[2001:db8::1]/x'],
    [{ host: 'h', stream: { localPort: 0 } }, 'http://h/x'],
  ];
  for (const [given, location] of table) {
    it(`${location} of ${JSON.stringify(given)}`, () => {
      const all = { ...given, out: { status: 302, location: '/x' } };
      assert.deepEqual(
        linesOf(all).filter((line) => line.startsWith('Location')),
        [`Location: ${location}`],
      );
      const request = requestFor(all);
      headText(request);
      assert.equal(request.out.location, location, 'as it is logged');
    });
  }
  for (const elsewhere of ['http://other/', 'x', '?y']) {
    it(`${elsewhere} stays`, () =>
      assert.ok(linesOf({ out: { status: 302, location: elsewhere } }).includes(`Location: ${elsewhere}`)));
  }
});
