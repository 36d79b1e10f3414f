import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { Syslog } from '../../../src/log/syslog.ts';
import { parseSyslog, type SyslogSpec } from '../../../src/log/syslog-spec.ts';

const fail = (reason: string): never => {
  throw new Error(reason);
};
const lookup = (name: string): readonly string[] => (name === 'log.example.com' ? ['192.0.2.7'] : []);
const plain: SyslogSpec = {
  server: '127.0.0.1',
  address: '127.0.0.1',
  port: 514,
  facility: 23,
  severity: 6,
  tag: 'nginx',
  nohostname: false,
};

const accepted: readonly (readonly [text: string, spec: SyslogSpec])[] = [
  ['syslog:server=127.0.0.1', plain],
  ['syslog:server=[::1]:12345', { ...plain, server: '[::1]:12345', address: '::1', port: 12345 }],
  [
    'syslog:server=log.example.com:1',
    { ...plain, server: 'log.example.com:1', address: '192.0.2.7', port: 1 },
  ],
  [
    'syslog:nohostname,tag=web_1,severity=warn,facility=mail,server=unix:/dev/log',
    {
      server: 'unix:/dev/log',
      address: '/dev/log',
      port: 0,
      facility: 2,
      severity: 4,
      tag: 'web_1',
      nohostname: true,
    },
  ],
];
const refused: readonly (readonly [text: string, message: string])[] = [
  ['syslog:facility=mail', 'no syslog server specified'],
  ['syslog:server=a,server=b', 'duplicate syslog "server"'],
  ['syslog:server=a,facility=mail,facility=kern', 'duplicate syslog "facility"'],
  ['syslog:server=a,severity=info,severity=info', 'duplicate syslog "severity"'],
  ['syslog:server=a,tag=b,tag=c', 'duplicate syslog "tag"'],
  ['syslog:server=a,facility=local8', 'unknown syslog facility "local8"'],
  ['syslog:server=a,severity=err', 'unknown syslog severity "err"'],
  [`syslog:server=a,tag=${'t'.repeat(33)}`, 'syslog tag length exceeds 32'],
  ['syslog:server=a,tag=b-c', 'syslog "tag" only allows alphanumeric characters and underscore'],
  ['syslog:server=a,port=1', 'unknown syslog parameter "port=1"'],
  ['syslog:server=a,', 'unknown syslog parameter ""'],
  ['syslog:server=a:0', 'invalid port in syslog server "a:0"'],
  ['syslog:server=none.example', 'host not found in syslog server "none.example"'],
  ['syslog:server=', 'no host in syslog server ""'],
];

describe('syslog parameters', () => {
  for (const [text, spec] of accepted)
    it(`reads ${text}`, () => assert.deepEqual(parseSyslog(text, fail, lookup), spec));
  for (const [text, message] of refused) {
    it(`refuses ${text}`, () => assert.throws(() => parseSyslog(text, fail, lookup), { message }));
  }
});

describe('syslog messages', () => {
  const noTrouble = (reason: string): void => assert.fail(reason);

  it('carry priority, time, host and tag over UDP', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    const log = new Syslog({ ...plain, port: server.address().port }, noTrouble);
    log.write('a line \xff', 4);
    const [message]: Buffer[] = await once(server, 'message');
    const head = `^<187>[A-Z][a-z]{2} [ \\d]\\d \\d\\d:\\d\\d:\\d\\d ${hostname().toLowerCase()} nginx: a line \xff$`;
    assert.match(message?.toString('latin1') ?? '', new RegExp(head));
    log.write('an access line', 0);
    const [next]: Buffer[] = await once(server, 'message');
    assert.match(next?.toString('latin1') ?? '', /^<190>.* nginx: an access line$/);
    log.close();
    server.close();
  });

  it('leave the host out with nohostname, and reach a server known by name', async () => {
    const server = createSocket('udp4').bind(0, '127.0.0.1');
    await once(server, 'listening');
    const spec = {
      ...plain,
      address: 'localhost',
      port: server.address().port,
      nohostname: true,
      tag: 'web',
    };
    const log = new Syslog(spec, noTrouble);
    log.write('x', 8);
    const [message]: Buffer[] = await once(server, 'message');
    assert.match(message?.toString('latin1') ?? '', /^<191>... .. ..:..:.. web: x$/);
    log.close();
    server.close();
  });

  it('are told to be lost when nobody listens, and go on when somebody does again', () => {
    const troubles: string[] = [];
    const spec = { ...plain, server: 'unix:/nonexistent/log', address: '/nonexistent/log', port: 0 };
    const log = new Syslog(spec, (reason) => troubles.push(reason));
    log.write('x', 4);
    log.write('y', 4);
    assert.deepEqual(
      troubles,
      Array(2).fill(
        'connect() failed (2: No such file or directory) while logging to syslog, server: unix:/nonexistent/log',
      ),
    );
    log.close();
  });
});
