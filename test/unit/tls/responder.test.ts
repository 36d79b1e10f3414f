/** Addresses of OCSP responders. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { parseResponder } from '../../../src/tls/ocsp-client.ts';

const lookUp = (host: string): readonly string[] => (host === 'a.test' ? ['192.0.2.1'] : []);

it('addresses of responders are taken apart', () => {
  const cases: readonly (readonly [url: string, parsed: unknown])[] = [
    ['http://a.test', { host: 'a.test', port: 80, uri: '/', addresses: ['192.0.2.1'] }],
    ['HTTP://a.test:81/x/', { host: 'a.test', port: 81, uri: '/x/', addresses: ['192.0.2.1'] }],
    ['http://[::1]:8/', { host: '::1', port: 8, uri: '/', addresses: ['::1'] }],
    ['http://127.0.0.1/y', { host: '127.0.0.1', port: 80, uri: '/y', addresses: ['127.0.0.1'] }],
    ['http://b.test', { host: 'b.test', port: 80, uri: '/', addresses: [] }],
    ['https://a.test', 'invalid URL prefix'],
    ['a.test', 'invalid URL prefix'],
    ['http:///x', 'no host'],
    ['http://a.test:0', 'invalid port'],
    ['http://a.test:/x', 'invalid port'],
    ['http://a.test:65536', 'invalid port'],
  ];
  for (const [url, parsed] of cases) assert.deepEqual(parseResponder(url, lookUp), parsed, url);
});
