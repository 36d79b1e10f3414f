/** `set_real_ip_from` of `stream`: the address that a trusted balancer names is the client's. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';

const rig = new Rig();
let proxy: Subject;

const TEXT = "return '$remote_addr $remote_port $realip_remote_addr $realip_remote_port.';";

before(async () => {
  proxy = await startProxy(
    rig,
    streamConf(`
      set_real_ip_from 127.0.0.1/32;
      server { listen 127.0.0.1:%port:trusted% proxy_protocol; ${TEXT} }
      server { listen 127.0.0.1:%port:bare%; ${TEXT} }
      server { listen 127.0.0.1:%port:other% proxy_protocol; set_real_ip_from 10.0.0.0/8; ${TEXT} }
      server { listen 127.0.0.1:%port:denied% proxy_protocol; deny 192.0.2.1; ${TEXT} }
      server { listen unix:%dir%/own.sock proxy_protocol; set_real_ip_from unix:; ${TEXT} }`),
  );
});
after(() => rig.close());

const HEADER = 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 80\r\n';

/** What a server says to a client with that header, and the port that the client has. */
const said = async (name: string, header: string): Promise<readonly [text: string, port: number]> => {
  const wire = await proxy.connect(name);
  const { localPort = 0 } = wire.socket;
  if (header !== '') wire.send(header);
  const text = await wire.readToEnd();
  wire.close();
  return [text, localPort];
};

test('a trusted balancer is believed', async () => {
  const [text, port] = await said('trusted', HEADER);
  assert.equal(text, `192.0.2.1 1234 127.0.0.1 ${port}.`);
  const [longer, own] = await said('trusted', 'PROXY TCP6 2001:DB8:0::1 ::1 1234 80\r\n');
  assert.equal(longer, `2001:db8::1 1234 127.0.0.1 ${own}.`);
});

test('others are not, and who names nobody keeps the address', async () => {
  const [text, port] = await said('other', HEADER);
  assert.equal(text, `127.0.0.1 ${port} 127.0.0.1 ${port}.`);
  const [bare, own] = await said('bare', '');
  assert.equal(bare, `127.0.0.1 ${own} 127.0.0.1 ${own}.`);
  const [unknown, last] = await said('trusted', 'PROXY UNKNOWN\r\n');
  assert.equal(unknown, `127.0.0.1 ${last} 127.0.0.1 ${last}.`);
});

test('rules and log lines go by the address that was named', async () => {
  const [text] = await said('denied', HEADER);
  assert.equal(text, '');
  await proxy.logged(/access forbidden by rule while initializing session, client: 192\.0\.2\.1, server: /);
});

test('over a unix socket', async () => {
  const socket = net.connect(join(proxy.dir, 'own.sock'));
  socket.write(HEADER);
  let text = '';
  for await (const bytes of socket) text += String(bytes);
  assert.equal(text, '192.0.2.1 1234 unix: .');
});
