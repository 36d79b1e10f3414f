/** Replies that end too early: a slow client still gets all that had come, in memory and from the temporary file. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;
/** More than the sockets on the way hold. */
const SENT = 12_000_000;

before(async () => {
  const backend = await startScript(rig, async (wire) => {
    await wire.readUntil('\r\n\r\n');
    await wire.flush(`HTTP/1.1 200 OK\r\nContent-Length: ${SENT + 1000}\r\n\r\n`);
    await wire.flush('x'.repeat(SENT - 3));
    await wire.flush('end');
    wire.end();
  });
  proxy = await startProxy(rig, {
    http: `
      proxy_buffer_size 4k; proxy_buffers 4 4k; proxy_busy_buffers_size 8k;
      server { listen 127.0.0.1:%port%; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
  });
});
after(() => rig.close());

test('what came before the end', async () => {
  const wire = await proxy.connect();
  wire.socket.pause();
  wire.send('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await proxy.logged(/upstream prematurely closed connection/, 20_000);
  wire.socket.resume();
  const all = await wire.readToEnd(20_000);
  const body = all.slice(all.indexOf('\r\n\r\n') + 4);
  assert.equal(body.length, SENT);
  assert.ok(body.endsWith('end'));
});

test('the log says what was sent', async () => {
  await proxy.logged(/an upstream response is buffered to a temporary file/);
});
