/** `pass`: the connection goes to whoever listens at an address, of http too, without a connection of ours (ngx_stream_pass). */
import { type Args, directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { Reason } from '../../config/reason.ts';
import { ERROR } from '../../log/levels.ts';
import type { Endpoint } from '../../net/passed.ts';
import { parseAddress } from '../../upstream/address.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { INTERNAL_ERROR, STATUS_OK } from '../verdict.ts';

/** How often a connection may be handed on. */
const MOST = 10;

/** What may be wrong with an address that can be read. */
const NO_ADDRESSES = 'no addresses';
const NO_PORT = 'no port';

interface Target extends Endpoint {
  /** As messages name it. */
  readonly name: string;
}

/** Throws Reason for what is no address. */
const targetOf = (text: string): Target | typeof NO_ADDRESSES | typeof NO_PORT => {
  const { host, port, noPort, kind } = parseAddress(text, 0);
  if (kind === 'unix') return { family: 'unix', address: host, port: 0, name: `unix:${host}` };
  if (kind === 'name') return NO_ADDRESSES;
  if (noPort) return NO_PORT;
  const family = host.startsWith('[') ? 'ipv6' : 'ipv4';
  return { family, address: host.replace(/^\[|\]$/g, ''), port, name: `${host}:${port}` };
};

/** What gives a session's target; undefined where there is none, which has been logged. */
type Where = (session: Session) => Target | undefined;

const fixed = (args: Args, text: string): Where => {
  try {
    const target = targetOf(text);
    if (typeof target === 'string') return args.failDirective(`has ${target}`);
    return () => target;
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    return args.fail(`${error.message} in "${text}" of the "pass" directive`, args.words[0]);
  }
};

const atRunTime = (session: Session, text: string): Target | undefined => {
  try {
    const target = targetOf(text);
    if (typeof target !== 'string') return target;
    session.log(ERROR, `${target} in pass "${text}"`);
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    session.log(ERROR, `${error.message} in pass "${text}"`);
  }
  return undefined;
};

const where: Parser<Where | undefined> = {
  arity: 1,
  parse(args) {
    const template = args.scope.need(STREAM).template(wordAt(args, 0).text, args.place);
    if (template.refs.length === 0 && template.constant !== undefined) return fixed(args, template.constant);
    return (session) => atRunTime(session, template.text(session));
  },
};

/** The target, where the session may be handed on at all. */
const checked = (session: Session, find: Where): Target | undefined => {
  if (session.datagrams) {
    session.log(ERROR, 'cannot pass udp connection');
    return undefined;
  }
  // In the clear nginx only peeks, so that what was looked at can still go along.
  if (session.tls && session.inspected && session.peeked.length > 0) {
    session.log(ERROR, 'cannot pass connection with preread data');
    return undefined;
  }
  const target = find(session);
  if (!target || session.passes < MOST) return target;
  session.log(ERROR, 'stream pass cycle');
  return undefined;
};

const handOver = (session: Session, find: Where): void => {
  session.action = 'passing connection to port';
  const target = checked(session, find);
  if (!target) {
    session.finalize(INTERNAL_ERROR);
    return;
  }
  if (session.pass(target)) return;
  session.log(ERROR, `port not found for "${target.name}"`);
  session.finalize(STATUS_OK);
};

export const passModule = streamModule({
  name: 'stream_pass',
  directives: { pass: directive(where, { in: ['stream-server'], initial: undefined }) },
  content: ({ pass: find }) => find && ((session) => handOver(session, find)),
});
