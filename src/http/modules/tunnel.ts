/** `tunnel_pass`: the requests of a forward proxy's clients, CONNECT, become connections (ngx_http_tunnel). */
import { directive, type Parser, type Scope } from '../../config/contract.ts';
import { INFO } from '../../log/levels.ts';
import { TunnelProtocol } from '../../upstream/protocols/tunnel/protocol.ts';
import type { GroupRef } from '../../upstream/registry.ts';
import { startUpstream } from '../../upstream/upstream.ts';
import { HTTP } from '../build.ts';
import { type Handler, httpModule } from '../module.ts';
import type { Template } from '../template.ts';
import { unbuffered, unbufferedRows } from '../unbuffered-upstream.ts';
import { nextBits, passApplies, upstreamRows } from '../upstream-directives.ts';
import { groupAt } from './fastcgi-pass.ts';

const METHOD_NOT_ALLOWED = 405;

interface TunnelPass {
  /** The block it stands in. */
  readonly scope: Scope;
  readonly template: Template;
  /** Undefined when the address holds variables. */
  readonly ref: GroupRef | undefined;
}

/** `tunnel_pass [ADDRESS]`: where the client wants to, unless it says otherwise. The server then takes CONNECT. */
const tunnelPass: Parser<TunnelPass | undefined> = {
  arity: [0, 1],
  parse(args) {
    const { scope, place } = args;
    const build = scope.need(HTTP);
    const server = build.servers.at(-1);
    if (server) server.runtime.allowsConnect = true;
    const address = args.texts[0] ?? '$host:$request_port';
    const template = build.template(address, place);
    const ref = address.includes('$') ? undefined : build.upstreams.use(address, 0, place);
    return { scope, template, ref };
  },
};

const NEXT_WORDS = ['error', 'timeout', 'off'] as const;
const rows = upstreamRows('tunnel', NEXT_WORDS);

export const tunnel = httpModule({
  name: 'http_tunnel',
  directives: {
    ...unbufferedRows('tunnel', NEXT_WORDS),
    socketRcvbuf: rows.socketRcvbuf,
    socketSndbuf: rows.socketSndbuf,
    nextUpstream: rows.nextUpstream,
    tunnel_pass: directive<TunnelPass | undefined>(tunnelPass, {
      in: ['server', 'location', 'if-in-location'],
      initial: undefined,
    }),
  },
  content(conf, { build, scope }): Handler | undefined {
    const pass = conf.tunnel_pass;
    if (!pass || !passApplies(pass.scope, scope)) return undefined;
    const upstream = unbuffered(conf, nextBits(conf.nextUpstream));
    const protocol = new TunnelProtocol();
    const { ref, template } = pass;
    return (request) => {
      if (request.method !== 'CONNECT') return METHOD_NOT_ALLOWED;
      const group = ref ? ref.group : groupAt(request, template.text(request), build.upstreams, INFO);
      return typeof group === 'number' ? group : startUpstream(request, upstream, protocol, group);
    };
  },
});
