/** `proxy_*` of stream: where sessions go, and how. */
import {
  type Args,
  type ConfOf,
  type Context,
  defineModule,
  directive,
  type Parser,
} from '../../config/contract.ts';
import { parseSize } from '../../config/numbers.ts';
import { enumOf, flag, msec, num, size, wordAt } from '../../config/parsers.ts';
import { readBind } from '../../upstream/bind-directive.ts';
import type { LocalAddress, PeerTls } from '../../upstream/contract.ts';
import { peerTlsRows } from '../../upstream/peer-tls.ts';
import type { GroupRef } from '../../upstream/registry.ts';
import type { Template } from '../../values/template.ts';
import { STREAM } from '../build.ts';
import { template } from '../parsers.ts';
import type { Session } from '../session.ts';

const WHERE = { in: ['stream', 'stream-server'] satisfies readonly Context[] } as const;

/** `proxy_responses` where nothing is said of it. */
export const UNLIMITED: number = 2 ** 31 - 1;

/** A `proxy_pass`: a group known at load, or what variables make at each session. */
export type Pass = GroupRef<Session> | Template<Session>;

const pass: Parser<Pass | undefined> = {
  arity: 1,
  parse(args) {
    const build = args.scope.need(STREAM);
    const { text } = wordAt(args, 0);
    const template = build.template(text, args.place);
    return template.constant === undefined ? template : build.upstreams.use(text, 0, args.place);
  },
};

const bind: Parser<LocalAddress<Session> | 'off'> = {
  arity: [1, 2],
  parse: (args) => readBind(args, (text) => args.scope.need(STREAM).template(text, args.place)),
};

/** Bytes a second, which may hold variables; 0 for no limit. */
const rate: Parser<Template<Session> | undefined> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const value = args.scope.need(STREAM).template(word.text, args.place);
    if (value.constant !== undefined && parseSize(value.constant) === undefined)
      return args.failDirective('invalid value', word);
    return value;
  },
};

/** What stands behind one byte that says how long it is. */
export const LONGEST_PROTOCOL = 255;

/** Protocols for ALPN, each of which may hold variables. */
const protocols: Parser<readonly Template<Session>[]> = {
  arity: { min: 1, max: Number.POSITIVE_INFINITY },
  parse(args) {
    const build = args.scope.need(STREAM);
    return args.words.map(({ text }) => {
      const value = build.template(text, args.place);
      if (value.constant !== undefined && text.length > LONGEST_PROTOCOL)
        args.failDirective('protocol too long');
      return value;
    });
  },
};

/** Socket options that Node does not reach; they change how fast, not what. */
const notReached: Parser<number> = {
  ...size,
  parse(args: Args, own) {
    args.warn(`"${args.name}" is not supported, ignored`);
    return size.parse(args, own);
  },
};

export const proxyRows = defineModule({
  name: 'stream_proxy',
  directives: {
    proxy_pass: directive(pass, { in: ['stream-server'], initial: undefined }),
    proxy_bind: directive<LocalAddress<Session> | 'off'>(bind, { ...WHERE, initial: 'off' }),
    proxy_socket_keepalive: directive(flag, { ...WHERE, initial: false }),
    proxy_socket_rcvbuf: directive(notReached, { ...WHERE, initial: 0 }),
    proxy_socket_sndbuf: directive(notReached, { ...WHERE, initial: 0 }),
    proxy_connect_timeout: directive(msec, { ...WHERE, initial: 60_000 }),
    proxy_timeout: directive(msec, { ...WHERE, initial: 600_000 }),
    proxy_buffer_size: directive(size, {
      ...WHERE,
      names: ['proxy_buffer_size', 'proxy_downstream_buffer', 'proxy_upstream_buffer'],
      initial: 16_384,
    }),
    proxy_upload_rate: directive(rate, { ...WHERE, initial: undefined }),
    proxy_download_rate: directive(rate, { ...WHERE, initial: undefined }),
    proxy_requests: directive(num(), { ...WHERE, initial: 0 }),
    proxy_responses: directive(num(), { ...WHERE, initial: UNLIMITED }),
    proxy_next_upstream: directive(flag, { ...WHERE, initial: true }),
    proxy_next_upstream_tries: directive(num(), { ...WHERE, initial: 0 }),
    proxy_next_upstream_timeout: directive(msec, { ...WHERE, initial: 0 }),
    proxy_protocol: directive(enumOf('off', 'on', 'v2'), { ...WHERE, initial: 'off' }),
    proxy_half_close: directive(flag, { ...WHERE, initial: false }),
    proxy_ssl: directive(flag, { ...WHERE, initial: false }),
    proxy_ssl_alpn: directive<readonly Template<Session>[]>(protocols, { ...WHERE, initial: [] }),
    ...peerTlsRows<Session>('proxy', WHERE.in, template),
  },
});
export type ProxyConf = ConfOf<typeof proxyRows> & {
  /** undefined: bytes go to peers as they are. */
  readonly tls: PeerTls<Session> | undefined;
};
