/** Requests in early data, answered before the handshake is done. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { reply, startBackend } from '../kit/http-backend.ts';
import { listenedPort } from '../kit/ports.ts';
import { IS_NGINX, type Subject, startProxy } from '../kit/proxy.ts';
import { type Rig, rigFor } from '../kit/rig.ts';
import { allRead } from '../kit/sockets.ts';
import { until } from '../kit/wait.ts';
import type { Wire } from '../kit/wire.ts';

const APPLICATION_DATA = 23;
/** Early data is one, its end another. */
const RECORDS_BEFORE_FINISHED = 2;

/** OpenSSL's server side refuses early data where a slow machine lets a second pass: it counts in whole ones. */
const REFUSED = 'Early data was rejected';

/** OpenSSL's client; answers with what it has got, once it is closed. */
const client = async (rig: Rig, port: number, input: string, ...args: string[]): Promise<string> => {
  const child = spawn(
    'openssl',
    ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3', '-ign_eof', ...args],
    {
      cwd: rig.dir,
    },
  );
  rig.defer(() => {
    child.kill();
  });
  let text = '';
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString('latin1');
    if (text.includes(REFUSED)) child.kill();
  });
  child.stdin.write(input);
  await once(child, 'close');
  return text;
};

/** Stands before the proxy, and keeps the last record of a handshake with early data back until `letGo`. */
class Withholder {
  readonly #server: net.Server;
  #proxy: net.Socket | undefined = undefined;
  #held: Buffer | undefined = undefined;
  #input: Buffer = Buffer.alloc(0);
  #records = 0;

  constructor(port: number) {
    this.#server = net.createServer((socket) => {
      const proxy = net.connect(port, '127.0.0.1');
      this.#proxy = proxy;
      for (const end of [socket, proxy]) end.on('error', () => {});
      proxy.pipe(socket);
      proxy.on('close', () => socket.end());
      socket.on('close', () => proxy.destroy());
      socket.on('data', (bytes: Buffer) => {
        this.#input = Buffer.concat([this.#input, bytes]);
        this.#pass(proxy);
      });
    });
  }

  async listen(rig: Rig): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    rig.defer(() => {
      this.#server.close();
    });
    await once(this.#server, 'listening');
    return listenedPort(this.#server);
  }

  #pass(proxy: net.Socket): void {
    for (;;) {
      const length = this.#input.length < 5 ? 5 : 5 + this.#input.readUInt16BE(3);
      if (this.#input.length < length) return;
      const record = this.#input.subarray(0, length);
      this.#input = this.#input.subarray(length);
      if (record[0] === APPLICATION_DATA) this.#records++;
      if (this.#records === RECORDS_BEFORE_FINISHED + 1 && !this.#held) this.#held = record;
      else proxy.write(record);
    }
  }

  /** All is there but the record that is kept back, and the proxy has read it; nginx reads no further while it answers. */
  readUp(proxy: Subject): boolean {
    return this.#held !== undefined && (IS_NGINX || allRead(proxy.port(), this.#proxy?.localPort ?? 0));
  }

  /** More has come from the proxy, if only its end. */
  async answered(): Promise<void> {
    const proxy = this.#proxy;
    assert.ok(proxy);
    await Promise.race([once(proxy, 'data'), once(proxy, 'close')]);
  }

  letGo(): void {
    if (this.#held) this.#proxy?.write(this.#held);
  }
}

test('a reply between the end of early data and the end of the handshake', { timeout: 60_000 }, async (t) => {
  const rig = rigFor(t);
  new Certificates(rig.dir).make('a');
  let asked: (wire: Wire) => void = () => {};
  const late = new Promise<Wire>((resolve) => {
    asked = resolve;
  });
  const backend = await startBackend(rig, ({ target }, wire) => {
    if (target !== '/late') return reply('soon');
    asked(wire);
    return undefined;
  });
  const proxy = await startProxy(rig, {
    http: `
      ssl_certificate a.pem; ssl_certificate_key a.key; ssl_early_data on;
      server { listen 127.0.0.1:%port% ssl; location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
  });
  const ask = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`;
  writeFileSync(join(rig.dir, 'request'), ask('/late'));
  let answer: Promise<string>;
  let withholder: Withholder;
  let wire: Wire | undefined;
  do {
    assert.match(await client(rig, proxy.port(), ask('/soon'), '-sess_out', 'session'), /soon/);
    withholder = new Withholder(proxy.port());
    answer = client(rig, await withholder.listen(rig), '', '-sess_in', 'session', '-early_data', 'request');
    wire = await Promise.race([late, answer.then(() => undefined)]);
  } while (!wire);
  await until(() => withholder.readUp(proxy), 'the end of early data to be read');
  const answered = withholder.answered();
  wire.send(reply('late'));
  await answered;
  withholder.letGo();
  assert.match(await answer, /\r\n\r\nlate/);
  assert.doesNotMatch(proxy.log, /\[crit\]/);
});
