/** `return TEXT` of stream (ngx_stream_return). */
import { directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { INFO } from '../../log/levels.ts';
import type { Connection, ConnectionHandler } from '../../net/connection.ts';
import type { Template } from '../../values/template.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { INTERNAL_ERROR, STATUS_OK } from '../verdict.ts';

/** How long a client may take to read, ms. */
const SEND_TIMEOUT = 5000;

const text: Parser<Template<Session> | undefined> = {
  arity: 1,
  parse: (args) => args.scope.need(STREAM).template(wordAt(args, 0).text, args.place),
};

/** Waits until the client has taken the text. */
class Sending implements ConnectionHandler {
  constructor(
    readonly session: Session,
    readonly connection: Connection,
  ) {}

  onDrain(): void {
    this.session.finalize(STATUS_OK);
  }

  onTimeout(): void {
    this.session.log(INFO, 'connection timed out (110: Connection timed out)');
    this.session.finalize(STATUS_OK);
  }

  onClose(): void {
    this.session.finalize(INTERNAL_ERROR);
  }

  onRead(): void {}

  onEnd(): void {}

  onConnect(): void {}
}

const send = (session: Session, value: string): void => {
  const { connection } = session;
  session.action = 'returning text';
  if (session.datagrams) {
    const told = value === '' || session.tell(Buffer.from(value, 'latin1'));
    session.finalize(told ? STATUS_OK : INTERNAL_ERROR);
    return;
  }
  if (value !== '') connection.writeBytes(Buffer.from(value, 'latin1'));
  if (connection.queued === 0) {
    session.finalize(STATUS_OK);
    return;
  }
  connection.handler = new Sending(session, connection);
  connection.timer.start(SEND_TIMEOUT);
  if (!connection.blocked) connection.writeAndTell(Buffer.alloc(0));
};

export const returnModule = streamModule({
  name: 'stream_return',
  directives: { return: directive(text, { in: ['stream-server'], initial: undefined }) },
  content({ return: value }) {
    return value && ((session) => send(session, value.text(session)));
  },
});
