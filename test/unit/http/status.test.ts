import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errorPageBody, statusLine } from '../../../src/http/status.ts';

describe('status lines', () => {
  const table: readonly (readonly [status: number, line: string])[] = [
    [100, '100 Continue'],
    [200, '200 OK'],
    [206, '206 Partial Content'],
    [302, '302 Moved Temporarily'],
    [401, '401 Unauthorized'],
    [405, '405 Not Allowed'],
    [408, '408 Request Time-out'],
    [413, '413 Request Entity Too Large'],
    [414, '414 Request-URI Too Large'],
    [416, '416 Requested Range Not Satisfiable'],
    [503, '503 Service Temporarily Unavailable'],
    [504, '504 Gateway Time-out'],
    [507, '507 Insufficient Storage'],
    [299, '299 '],
    [306, '306 '],
    [418, '418 '],
    [999, '999 '],
    [7, '007 '],
    [1234, '1234 '],
  ];
  for (const [status, line] of table) {
    it(`${status}`, () => {
      assert.equal(statusLine(status), line);
      assert.equal(statusLine(status), line, 'the second time too');
    });
  }
});

describe('error pages', () => {
  const title = (status: number): string | undefined =>
    /<title>(.*)<\/title>/.exec(errorPageBody(status, 'sluice'))?.[1];
  const table: readonly (readonly [status: number, title: string | undefined])[] = [
    [301, '301 Moved Permanently'],
    [302, '302 Found'],
    [307, '307 Temporary Redirect'],
    [308, '308 Permanent Redirect'],
    [400, '400 Bad Request'],
    [401, '401 Authorization Required'],
    [404, '404 Not Found'],
    [408, '408 Request Time-out'],
    [414, '414 Request-URI Too Large'],
    [429, '429 Too Many Requests'],
    [494, '400 Request Header Or Cookie Too Large'],
    [495, '400 The SSL certificate error'],
    [496, '400 No required SSL certificate was sent'],
    [497, '400 The plain HTTP request was sent to HTTPS port'],
    [500, '500 Internal Server Error'],
    [507, '507 Insufficient Storage'],
    [200, undefined],
    [204, undefined],
    [304, undefined],
    [418, undefined],
    [430, undefined],
    [499, undefined],
    [506, undefined],
    [508, undefined],
    [599, undefined],
  ];
  for (const [status, expected] of table) it(`${status}`, () => assert.equal(title(status), expected));

  it('are nginx’s to the byte', () =>
    assert.equal(
      errorPageBody(404, 'sluice/1'),
      '<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n' +
        '<hr><center>sluice/1</center>\r\n</body>\r\n</html>\r\n',
    ));
  it('say what is wrong below a heading of 400', () =>
    assert.equal(
      errorPageBody(494, 'sluice'),
      '<html>\r\n<head><title>400 Request Header Or Cookie Too Large</title></head>\r\n<body>\r\n' +
        '<center><h1>400 Bad Request</h1></center>\r\n<center>Request Header Or Cookie Too Large</center>\r\n' +
        '<hr><center>sluice</center>\r\n</body>\r\n</html>\r\n',
    ));
});
