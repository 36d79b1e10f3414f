import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { internName } from '../../../src/http/header-names.ts';
import { Location, Server } from '../../../src/http/location.ts';
import { Request, type Stream } from '../../../src/http/request.ts';
import { compileTemplate } from '../../../src/http/template.ts';
import { Variables } from '../../../src/http/variables.ts';
import { compileParams } from '../../../src/upstream/protocols/fastcgi/params.ts';
import { decodeParams } from '../../kit/fcgi-records.ts';

const stream: Stream = new Proxy({} as Stream, {
  get: (_, name) => assert.fail(`the stream was asked for ${String(name)}`),
});
const server = new Server();
server.location = new Location('server', '', false, undefined, false);

const variables = new Variables();
variables.declare({ uri: { get: (request) => request.uri }, none: { get: () => undefined } });

type Written = readonly [name: string, value: string, ifNotEmpty?: 'if_not_empty'];

/** The pairs as they are sent, decoded. */
function sent(
  written: readonly Written[],
  headers: readonly (readonly [string, string])[],
  pass = true,
): string[] {
  const params = written.map(([name, value, condition]) => ({
    name,
    value: compileTemplate(value, variables),
    ifNotEmpty: condition !== undefined,
  }));
  variables.bind();
  const compiled = compileParams(params, pass);
  const request = new Request(stream, server, undefined, variables.slots);
  request.uri = '/a/b';
  for (const [name, value] of headers) {
    request.headers.names.push(internName(name));
    request.headers.values.push(value);
  }
  const first = compiled(request);
  assert.equal(compiled(request), first, 'the second request is sent as the first');
  return [...decodeParams(Buffer.from(first, 'latin1'))].map(([name, value]) => `${name}=${value}`);
}

describe('fastcgi_param', () => {
  const long = 'x'.repeat(300);
  const cases: {
    name: string;
    params?: readonly Written[];
    headers?: readonly (readonly [string, string])[];
    pass?: boolean;
    sent: string[];
  }[] = [
    { name: 'nothing at all', sent: [] },
    {
      name: 'constants and variables in order',
      params: [
        ['A', '1'],
        ['B', '2'],
        ['C', 'x$uri'],
        ['D', '4'],
        ['E', '$uri'],
        ['F', '6'],
      ],
      sent: ['A=1', 'B=2', 'C=x/a/b', 'D=4', 'E=/a/b', 'F=6'],
    },
    {
      name: 'long names and values',
      params: [
        [long, long],
        ['A', `${long}$uri`],
      ],
      sent: [`${long}=${long}`, `A=${long}/a/b`],
    },
    {
      name: 'empty values, but not with if_not_empty',
      params: [
        ['A', ''],
        ['B', '$none'],
        ['C', '', 'if_not_empty'],
        ['D', '$none', 'if_not_empty'],
        ['E', '$uri', 'if_not_empty'],
      ],
      sent: ['A=', 'B=', 'E=/a/b'],
    },
    {
      name: 'headers as HTTP_*',
      headers: [
        ['Host', 'x'],
        ['Accept-Language', 'de'],
        ['X-Long', long],
      ],
      sent: ['HTTP_HOST=x', 'HTTP_ACCEPT_LANGUAGE=de', `HTTP_X_LONG=${long}`],
    },
    {
      name: 'lines of one name joined at the first one',
      headers: [
        ['X-A', '1'],
        ['Cookie', 'a=b'],
        ['X-B', '2'],
        ['x-a', '3'],
        ['cookie', 'c=d'],
        ['X-A', '4'],
      ],
      sent: ['HTTP_X_A=1, 3, 4', 'HTTP_COOKIE=a=b; c=d', 'HTTP_X_B=2'],
    },
    {
      name: 'a parameter in place of a header',
      params: [
        ['HTTP_X_A', 'ours'],
        ['HTTP_ACCEPT', ''],
        ['http_x_b', 'small'],
      ],
      headers: [
        ['X-A', 'theirs'],
        ['x-a', 'theirs'],
        ['Accept', '*/*'],
        ['X-B', 'theirs'],
      ],
      sent: ['HTTP_X_A=ours', 'http_x_b=small', 'HTTP_X_B=theirs'],
    },
    {
      name: 'no headers with fastcgi_pass_request_headers off',
      params: [['A', '1']],
      headers: [['Accept', '*/*']],
      pass: false,
      sent: ['A=1'],
    },
  ];
  for (const { name, params = [], headers = [], pass, sent: expected } of cases) {
    it(`sends ${name}`, () => assert.deepEqual(sent(params, headers, pass), expected));
  }

  it('joins lines of names that are too many to remember', () => {
    const flood = Array.from({ length: 1500 }, (_, i) => [`X-Flood-${i}`, String(i)] as const);
    const last = sent([], [...flood, ['X-Late', '1'], ['x-late', '2']]).at(-1);
    assert.equal(last, 'HTTP_X_LATE=1, 2');
  });
});
