/** The usual set-up of a pool test: one backend, one upstream with a pool, one location that passes to it. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FcgiHandler } from './fcgi-backend.ts';
import { startFcgiBackend } from './fcgi-backend.ts';
import type { Backend, Handler, Script } from './http-backend.ts';
import { sayConnection, startBackend, startScript } from './http-backend.ts';
import type { Message } from './message.ts';
import type { Subject } from './proxy.ts';
import { startProxy } from './proxy.ts';
import type { Owner, Rig } from './rig.ts';
import { rigFor } from './rig.ts';
import { until } from './wait.ts';
import type { Wire } from './wire.ts';

/** What differs from the usual. */
export interface PoolOptions {
  readonly handler?: Handler;
  readonly script?: Script;
  readonly fcgi?: FcgiHandler;
  /** Inside `upstream pool { server ...; }`. */
  readonly upstream?: string;
  /** Parameters of its `server`. */
  readonly server?: string;
  /** Inside `location /`. */
  readonly location?: string;
  /** More locations, in the server. */
  readonly more?: string;
}

/** A running set-up. */
export interface PoolBench {
  readonly rig: Rig;
  readonly backend: Backend;
  readonly proxy: Subject;
  readonly client: Wire;
  /** One request over the kept client connection. */
  ask(target?: string, method?: string, rest?: string): Promise<Message>;
  /** The same, and the number of the backend's connection that answered. */
  asked(target?: string): Promise<number>;
}

/** Starts it; everything ends with the test. */
export async function startPool(owner: Owner, options: PoolOptions = {}): Promise<PoolBench> {
  const rig = rigFor(owner);
  const backend =
    options.fcgi !== undefined
      ? await startFcgiBackend(rig, options.fcgi)
      : options.script !== undefined
        ? await startScript(rig, options.script)
        : await startBackend(rig, options.handler ?? sayConnection);
  const pass =
    options.fcgi !== undefined
      ? `fastcgi_pass pool; fastcgi_keep_conn on; fastcgi_param REQUEST_METHOD $request_method;
         fastcgi_param CONTENT_LENGTH $content_length; fastcgi_param QUERY_STRING $query_string;`
      : 'proxy_pass http://pool;';
  const proxy = await startProxy(rig, {
    http: `
      upstream pool { server 127.0.0.1:${backend.port} ${options.server ?? ''}; ${options.upstream ?? ''} }
      server {
        listen 127.0.0.1:%port%;
        location / { ${pass} ${options.location ?? ''} }
        ${options.more ?? ''}
      }`,
  });
  const client = await proxy.connect();
  const ask = (target = '/', method = 'GET', rest = '\r\n'): Promise<Message> =>
    client.request(`${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${rest}`, method);
  const asked = async (target = '/'): Promise<number> => {
    const reply = await ask(target);
    assert.equal(reply.status, 200, reply.head);
    return connectionOf(reply);
  };
  return { rig, backend, proxy, client, ask, asked };
}

/** The number of the backend's connection, as its default handler says it. */
export function connectionOf(reply: Message): number {
  return Number(reply.headers.get('x-connection') ?? /connection (\d+)/.exec(reply.body)?.[1]);
}

/** Resolves once the backend sees that its connection `number` was closed. */
export async function closedAt(backend: Backend, number: number, ms = 3000): Promise<void> {
  await until(() => backend.wires[number - 1]?.ended === true, `close of connection ${number}`, ms);
}

/** Lets the proxy's event loop see what has just been sent or closed on the loopback. */
export function settle(ms = 60): Promise<void> {
  return sleep(ms);
}
