/** `ssl_preread`: what a TLS client asks for decides, and the handshake goes on elsewhere. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { helloOf, inRecords } from '../kit/hello.ts';
import { type Backend, startScript } from '../kit/http-backend.ts';
import { type Subject, startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';
import { streamConf } from '../kit/stream.ts';
import { until } from '../kit/wait.ts';

const rig = new Rig();
let proxy: Subject;
let backend: Backend;
let hello: Buffer;

before(async () => {
  backend = await startScript(rig, async (wire) => {
    const got = await wire.readSome();
    wire.end(`${got.length}`);
  });
  const facts =
    "return '$ssl_preread_protocol|$ssl_preread_server_name|$ssl_preread_alpn_protocols|$1$server_name'";
  proxy = await startProxy(
    rig,
    streamConf(`
      log_format facts '$status $ssl_preread_protocol|$ssl_preread_server_name|$ssl_preread_alpn_protocols';
      ssl_preread on;
      preread_timeout 300ms;
      server { listen 127.0.0.1:%port:facts%; ${facts}; }
      server { listen 127.0.0.1:%port:named%; server_name none; ${facts}; }
      server { listen 127.0.0.1:%port:named%; server_name a.test *.b.test; ${facts}; }
      server { listen 127.0.0.1:%port:named%; server_name ~^(\\w+)\\.c\\.test$; ${facts}; }
      server { listen 127.0.0.1:%port:small%; preread_buffer_size 42; access_log %dir%/small.log facts; ${facts}; }
      server { listen 127.0.0.1:%port:cut%; access_log %dir%/cut.log facts; ${facts}; }
      server { listen 127.0.0.1:%port:proxied% proxy_protocol; ${facts}; }
      server { listen 127.0.0.1:%port:passed%; proxy_pass 127.0.0.1:${backend.port}; }
      server { listen 127.0.0.1:%port:off%; ssl_preread off; ${facts}; }`),
  );
  hello = await helloOf('A.test', { ALPNProtocols: ['h2', 'x'] });
});
after(() => rig.close());

/** The access log of a server, once it has a line. */
const logged = async (server: string): Promise<string> => {
  const read = (): string => readFileSync(join(proxy.dir, `${server}.log`), 'latin1');
  await until(() => read() !== '', 'a line of the access log');
  return read();
};

const ask = async (server: string, ...pieces: readonly (Buffer | string)[]): Promise<string> => {
  const wire = await proxy.connect(server);
  for (const piece of pieces) await wire.flush(piece);
  const text = await wire.readToEnd();
  wire.close();
  return text;
};

describe('ssl_preread', () => {
  test('variables say what the hello says', async () => {
    assert.equal(await ask('facts', hello), 'TLSv1.3|A.test|h2,x|');
    assert.equal(await ask('facts', inRecords(hello, 50)), 'TLSv1.3|A.test|h2,x|');
  });

  test('a hello in pieces', async () => {
    assert.equal(
      await ask('facts', hello.subarray(0, 3), hello.subarray(3, 80), hello.subarray(80)),
      'TLSv1.3|A.test|h2,x|',
    );
  });

  test('the name chooses the server', async () => {
    assert.equal(await ask('named', hello), 'TLSv1.3|A.test|h2,x|a.test');
    assert.equal(await ask('named', await helloOf('w.b.test')), 'TLSv1.3|w.b.test||a.test');
    assert.equal(await ask('named', await helloOf('w.c.test')), 'TLSv1.3|w.c.test||w~^(\\w+)\\.c\\.test$');
    assert.equal(await ask('named', await helloOf('other')), 'TLSv1.3|other||none');
    assert.equal(await ask('named', await helloOf('')), 'TLSv1.3|||none');
  });

  test('who does not speak TLS has no values', async () => {
    assert.equal(await ask('facts', 'hello, world'), '|||');
    assert.equal(await ask('off', hello), '|||');
  });

  test('behind a PROXY header', async () => {
    assert.equal(
      await ask('proxied', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', hello),
      'TLSv1.3|A.test|h2,x|',
    );
  });

  test('the hello is passed on', async () => {
    assert.equal(await ask('passed', hello), `${hello.length}`);
  });

  test('no more than the buffer is read', async () => {
    assert.equal(await ask('small', hello), '');
    await proxy.logged(/\[error\] .* preread buffer full while prereading client data, client: 127/);
    assert.equal(await logged('small'), '400 ||\n');
  });

  test('a hello that does not come to its end', async () => {
    assert.equal(await ask('cut', hello.subarray(0, 100)), '');
    assert.equal(await logged('cut'), '200 ||\n');
  });
});
