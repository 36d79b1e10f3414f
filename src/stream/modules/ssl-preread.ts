/** `ssl_preread`: what a TLS client asks for, read without taking the handshake (ngx_stream_ssl_preread). */
import { directive } from '../../config/contract.ts';
import { flag } from '../../config/parsers.ts';
import { DEBUG } from '../../log/levels.ts';
import { HELLO_READ, HelloFacts, NO_HELLO } from '../../net/hello-facts.ts';
import { type StreamVariables, streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { AGAIN, DECLINED, OK, type Verdict } from '../verdict.ts';

const preread = (session: Session): Verdict => {
  if (session.peeked.length === 0) return AGAIN;
  session.hello ??= new HelloFacts();
  const { hello } = session;
  const found = hello.read(session.peeked);
  if (found === NO_HELLO) {
    session.hello = undefined;
    return DECLINED;
  }
  if (found !== HELLO_READ) return AGAIN;
  session.note(DEBUG, `SSL preread server name: "${hello.name}"`);
  session.chooseServer(hello.name);
  return OK;
};

const variables: StreamVariables = {
  ssl_preread_protocol: { get: ({ hello }) => hello?.protocol },
  ssl_preread_server_name: { get: ({ hello }) => hello?.name },
  ssl_preread_alpn_protocols: { get: ({ hello }) => hello?.protocols },
};

export const sslPrereadModule = streamModule({
  name: 'stream_ssl_preread',
  directives: {
    ssl_preread: directive(flag, { in: ['stream', 'stream-server'], initial: false }),
  },
  variables,
  phases: { preread: ({ ssl_preread: on }) => (on ? preread : undefined) },
});
