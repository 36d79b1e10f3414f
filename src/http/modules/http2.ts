/** HTTP/2 (ngx_http_v2): where it is spoken, and its limits. */
import { type Args, type Context, directive, type Parser, statement } from '../../config/contract.ts';
import { flag, num, size } from '../../config/parsers.ts';
import { LARGEST_FRAME_SIZE, LARGEST_WINDOW } from '../http2/frames.ts';
import type { Http2Rules } from '../http2/session.ts';
import type { Server } from '../location.ts';
import { httpModule } from '../module.ts';

const SERVER: readonly Context[] = ['http', 'server'];
const LOCATION: readonly Context[] = ['http', 'server', 'location'];
/** What a receive buffer must leave room for beside what is read. */
const STATE_BYTES = 16;

const checked = (parser: Parser<number>, check: (args: Args, value: number) => number): Parser<number> => ({
  arity: 1,
  parse: (args, own) => check(args, parser.parse(args, own)),
});

const recvBuffer = checked(size, (args, bytes) =>
  bytes <= STATE_BYTES ? args.failDirective('value is too small', args.words[0]) : bytes,
);

const preread = checked(size, (args, bytes) =>
  bytes > LARGEST_WINDOW
    ? args.fail(`the maximum body preread buffer size is ${LARGEST_WINDOW}`, args.words[0])
    : bytes,
);

const chunk = checked(size, (args, bytes) =>
  bytes === 0
    ? args.fail('the http2 chunk size cannot be zero', args.words[0])
    : Math.min(bytes, LARGEST_FRAME_SIZE),
);

const indexSize = checked(num(), (args, count) =>
  count === 0 || (count & (count - 1)) !== 0
    ? args.failDirective('must be a power of two', args.words[0])
    : count,
);

/** Read and thrown away, with nginx's warning. */
const obsolete = (instead: string | undefined, contexts: readonly Context[] = SERVER) =>
  statement({
    in: contexts,
    arity: 1,
    repeats: true,
    run(args) {
      const advice = instead === undefined ? 'ignored' : `use the "${instead}" directive instead`;
      args.warn(`the "${args.name}" directive is obsolete, ${advice}`);
    },
  });

export const http2Module = httpModule({
  name: 'http_v2',
  directives: {
    http2: directive(flag, { in: SERVER, initial: false }),
    http2_max_concurrent_streams: directive(num(), { in: SERVER, initial: 128 }),
    http2_body_preread_size: directive(preread, { in: SERVER, initial: 65536 }),
    http2_chunk_size: directive(chunk, { in: LOCATION, initial: 8192 }),
    // All connections read into one buffer, and find their streams in a map.
    http2_recv_buffer_size: directive(recvBuffer, { in: ['http'], initial: 262144 }),
    http2_streams_index_size: directive(indexSize, { in: SERVER, initial: 32 }),
    http2_max_concurrent_pushes: obsolete(undefined),
    http2_push: obsolete(undefined, LOCATION),
    http2_push_preload: obsolete(undefined, LOCATION),
    http2_max_requests: obsolete('keepalive_requests'),
    http2_max_field_size: obsolete('large_client_header_buffers'),
    http2_max_header_size: obsolete('large_client_header_buffers'),
    http2_recv_timeout: obsolete('client_header_timeout'),
    http2_idle_timeout: obsolete('keepalive_timeout'),
  },
  variables: {
    http2: { get: ({ version, stream: { secure } }) => (version < 2000 ? '' : secure ? 'h2' : 'h2c') },
  },
});

const confOf = ({ location }: Server) => location.confOf(http2Module);

/** Whether requests for a server may come by HTTP/2 (`http2 on`). */
export const speaksHttp2 = (server: Server): boolean => confOf(server).http2;

export const http2Rules: Http2Rules = {
  streams: (server) => confOf(server).http2_max_concurrent_streams,
  preread: (server) => confOf(server).http2_body_preread_size,
  chunk: (location) => location.confOf(http2Module).http2_chunk_size,
};
