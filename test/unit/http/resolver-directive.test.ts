/** `resolver`: which name servers it makes, and what it refuses. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadHttp, verdictOf } from './http-rig.ts';

const serversOf = (words: string): string => {
  const [made] = loadHttp(`resolver ${words};`).resolvers;
  assert.ok(made);
  const { servers, valid, ipv4, ipv6 } = made.conf;
  return `${servers.map(({ name }) => name).join(' ')} ${valid} ${ipv4 ? 4 : ''}${ipv6 ? 6 : ''}`;
};

describe('resolver', () => {
  for (const [words, servers] of [
    ['127.0.0.1', '127.0.0.1:53 0 46'],
    ['127.0.0.1:5353 [::1] [::1]:54', '127.0.0.1:5353 [::1]:53 [::1]:54 0 46'],
    ['two.test:99 one.test', '192.0.2.7:99 [2001:db8::7]:99 192.0.2.8:53 0 46'],
    ['valid=5m 127.0.0.1 ipv6=off', '127.0.0.1:53 300 4'],
    ['127.0.0.1 ipv4=off ipv6=on', '127.0.0.1:53 0 6'],
  ] as const) {
    it(words, () => assert.equal(serversOf(words), servers));
  }

  for (const [conf, reason] of [
    ['resolver 127.0.0.1 valid=x;', 'invalid parameter: valid=x'],
    ['resolver 127.0.0.1 ipv6=no;', 'invalid parameter: ipv6=no'],
    ['resolver 127.0.0.1 ipv4=off ipv6=off;', '"ipv4" and "ipv6" cannot both be "off"'],
    ['resolver valid=1s;', 'no name servers defined'],
    ['resolver nosuch.test;', 'host not found in resolver "nosuch.test"'],
    ['resolver 127.0.0.1:0;', 'invalid port in resolver "127.0.0.1:0"'],
    ['resolver 127.0.0.1; resolver 127.0.0.2;', '"resolver" directive is duplicate'],
    ['resolver;', 'invalid number of arguments in "resolver" directive'],
    ['resolver_timeout x;', '"resolver_timeout" directive invalid value'],
  ] as const) {
    it(`${conf} ${reason}`, () => assert.equal(verdictOf(conf), reason));
  }
});

describe('names of an upstream at run time', () => {
  for (const [servers, reason] of [
    ['server a.test resolve;', ''],
    ['server a.test service=http resolve;', ''],
    ['server 127.0.0.1:99 resolve;', ''],
    ['server 127.0.0.1; server a.test resolve backup;', ''],
    ['ip_hash; server a.test resolve weight=2;', ''],
    ['resolver 127.0.0.1 valid=1s; resolver_timeout 5s; server a.test resolve;', ''],
    ['server a.test service=http;', 'service upstream "a.test" requires "resolve" parameter'],
    ['server a.test service= resolve;', 'service is empty'],
    ['server a.test:80 service=http resolve;', 'service upstream "a.test:80" may not have port'],
    ['server 127.0.0.1 service=http resolve;', 'service upstream "127.0.0.1" requires domain name'],
    ['server a.test:0 resolve;', 'invalid port in upstream "a.test:0"'],
    ['server a.test resolve backup;', 'no servers in upstream "u"'],
    ['resolver 127.0.0.1; resolver 127.0.0.1; server a.test resolve;', '"resolver" directive is duplicate'],
  ] as const) {
    it(`${servers} ${reason}`, () => {
      const conf = `resolver 127.0.0.1; upstream u { zone z 64k; ${servers} }`;
      assert.equal(verdictOf(conf), reason);
    });
  }

  it('need a zone', () => {
    assert.equal(
      verdictOf('resolver 127.0.0.1; upstream u { server a.test resolve; }'),
      'resolving names at run time requires upstream "u" in /conf/nginx.conf:3 to be in shared memory',
    );
  });

  it('need a resolver', () => {
    assert.equal(
      verdictOf('upstream u { zone z 64k; server a.test resolve; }'),
      'no resolver defined to resolve names at run time in upstream "u"',
    );
  });
});
