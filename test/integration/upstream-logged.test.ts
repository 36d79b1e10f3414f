/** What the log says the exchange with an upstream was at, when it ended early. */
import { describe, test } from 'node:test';
import type { Script } from '../kit/http-backend.ts';
import { startScript } from '../kit/http-backend.ts';
import { startProxy } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { until } from '../kit/wait.ts';

const silent: Script = async (wire) => {
  await wire.readHead();
};
const halfHead: Script = async (wire) => {
  await wire.readHead();
  wire.send('HTTP/1.1 200 OK\r\nContent-');
};
const halfBody: Script = async (wire) => {
  await wire.readHead();
  wire.send('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc');
  setTimeout(() => wire.reset(), 100);
};
const redirect: Script = async (wire) => {
  await wire.readHead();
  wire.send('HTTP/1.1 200 OK\r\nX-Accel-Redirect: /a/../../b\r\nContent-Length: 0\r\n\r\n');
};

const ABORTED =
  'epoll_wait() reported that client prematurely closed connection, so upstream connection is closed too while';
const CASES: readonly [name: string, script: Script, options: string, leaves: boolean, logged: string][] = [
  [
    'the client leaves before any answer',
    silent,
    '',
    true,
    `${ABORTED} sending request to upstream, client:`,
  ],
  [
    'the client leaves in the middle of the head',
    halfHead,
    '',
    true,
    `${ABORTED} reading response header from upstream, client:`,
  ],
  [
    'a reset in a body that is buffered',
    halfBody,
    '',
    false,
    'readv() failed (104: Connection reset by peer) while reading upstream',
  ],
  [
    'a reset in a body that is not',
    halfBody,
    'proxy_buffering off;',
    false,
    'recv() failed (104: Connection reset by peer) while reading upstream',
  ],
  [
    'a redirect out of the root',
    redirect,
    '',
    false,
    'unsafe URI "/a/../../b" was detected while reading response header from upstream, client:',
  ],
];

describe('the log names what was being done', () => {
  for (const [name, script, options, leaves, logged] of CASES) {
    test(name, async (t) => {
      const rig = rigFor(t);
      let begun = false;
      const backend = await startScript(rig, async (wire, number) => {
        await script(wire, number);
        begun = true;
      });
      const proxy = await startProxy(rig, {
        http: `server { listen 127.0.0.1:%port%; ${options}
          location / { proxy_pass http://127.0.0.1:${backend.port}; } }`,
      });
      const from = proxy.log.length;
      const wire = await proxy.connect();
      wire.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      if (leaves) {
        await until(() => begun, 'the backend has its request');
        // For what it has sent to be read.
        setTimeout(() => wire.close(), 200);
      }
      await proxy.logged({ includes: logged, from });
      wire.close();
    });
  }
});
