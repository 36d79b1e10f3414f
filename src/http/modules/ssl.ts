/** TLS to clients: certificates, protocols and ciphers of a server (ngx_http_ssl). */
import type { SecureContext } from 'node:tls';
import { ConfError, type Context, directive, type Parser, type Place } from '../../config/contract.ts';
import { parseNumber, parseSize } from '../../config/numbers.ts';
import { absolute, flag, sec, size, str, wordAt, wordsOf } from '../../config/parsers.ts';
import type { TlsSession, TlsSettings } from '../../net/tls.ts';
import { errorText } from '../../platform/errno.ts';
import { HTTP, type HttpBuild } from '../build.ts';
import type { Server } from '../location.ts';
import { httpModule } from '../module.ts';
import type { VariableDefinition } from '../variables.ts';
import { type ContextConf, makeContext } from './ssl-context.ts';
import { readPasswords } from './ssl-files.ts';

const SERVER: readonly Context[] = ['http', 'server'];
/** The smallest shared session cache: eight pages of memory. */
const SMALLEST_CACHE = 8 * 4096;

const files: Parser<readonly string[]> = {
  arity: 1,
  repeats: true,
  parse(args, own = []) {
    const word = wordAt(args, 0);
    if (word.text.includes('$') && !word.text.startsWith('data:')) {
      args.fail(
        'variables in "ssl_certificate" and "ssl_certificate_key" directives are not supported on this platform',
        word,
      );
    }
    return [...own, word.text];
  },
};

const passwords: Parser<readonly string[]> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const path = absolute(args.scope.load.confPrefix, word.text);
    try {
      return readPasswords(path);
    } catch (error) {
      return args.fail(`open() "${path}" failed (${errorText(error)})`, word);
    }
  },
};

/** `off`, `none`, `builtin[:N]`, `shared:NAME:SIZE`: checked; sessions are resumed by tickets. */
const sessionCache: Parser<readonly string[]> = {
  arity: [1, 2],
  parse(args) {
    for (const word of args.words) {
      const { text } = word;
      if (text === 'off' || text === 'none' || text === 'builtin') continue;
      if (text.startsWith('builtin:') && parseNumber(text.slice(8)) !== undefined) continue;
      const shared = /^shared:[^:]+:(.*)$/.exec(text);
      const bytes = shared ? parseSize(shared[1] ?? '') : undefined;
      if (bytes === undefined) return args.fail(`invalid session cache "${text}"`, word);
      if (bytes < SMALLEST_CACHE) args.fail(`session cache "${text}" is too small`, word);
    }
    return args.texts;
  },
};

/** Servers that say the same share a context; a map for each http block. */
const contexts = new WeakMap<HttpBuild, Map<string, SecureContext>>();

/** nginx names no line where a file is at fault; `at` is for the caret. */
const make = (conf: ContextConf, at: Place | undefined): SecureContext => {
  try {
    return makeContext(conf);
  } catch (error) {
    throw error instanceof ConfError ? new ConfError(error.reason, undefined, at) : error;
  }
};

const contextOf = (build: HttpBuild, conf: ContextConf, at: Place | undefined): SecureContext => {
  const known = contexts.get(build) ?? new Map<string, SecureContext>();
  contexts.set(build, known);
  const identity = JSON.stringify(conf);
  const context = known.get(identity) ?? make(conf, at);
  known.set(identity, context);
  return context;
};

const ofSession = (get: (session: TlsSession) => string): VariableDefinition => ({
  get: ({ stream: { tls } }) => (tls ? get(tls) || undefined : undefined),
});

export const sslModule = httpModule({
  name: 'http_ssl',
  directives: {
    ssl_certificate: directive<readonly string[]>(files, { in: SERVER, initial: [] }),
    ssl_certificate_key: directive<readonly string[]>(files, { in: SERVER, initial: [] }),
    ssl_password_file: directive<readonly string[]>(passwords, { in: SERVER, initial: [] }),
    ssl_protocols: directive<readonly string[]>(
      wordsOf('SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'),
      {
        in: SERVER,
        initial: ['TLSv1.2', 'TLSv1.3'],
      },
    ),
    ssl_ciphers: directive(str, { in: SERVER, initial: 'HIGH:!aNULL:!MD5' }),
    ssl_prefer_server_ciphers: directive(flag, { in: SERVER, initial: false }),
    ssl_ecdh_curve: directive(str, { in: SERVER, initial: 'auto' }),
    ssl_dhparam: directive(str, { in: SERVER, initial: '' }),
    ssl_buffer_size: directive(size, { in: SERVER, initial: 16384 }),
    ssl_session_cache: directive<readonly string[]>(sessionCache, { in: SERVER, initial: ['none'] }),
    ssl_session_tickets: directive(flag, { in: SERVER, initial: true }),
    ssl_session_timeout: directive(sec, { in: SERVER, initial: 300 }),
  },
  variables: {
    ssl_protocol: ofSession(({ protocol }) => protocol),
    ssl_cipher: ofSession(({ cipher }) => cipher),
    ssl_server_name: ofSession(({ serverName }) => serverName),
    ssl_alpn_protocol: ofSession(({ alpn }) => alpn),
    ssl_session_reused: ofSession(({ reused }) => (reused ? 'r' : '.')),
  },
  complete(build) {
    for (const { listen, fallback } of build.addresses.values()) {
      if (!listen.ssl || [fallback.scope, build.scope].some(({ set }) => set.has('ssl_certificate')))
        continue;
      throw new ConfError(
        'no "ssl_certificate" is defined for the "listen ... ssl" directive',
        fallback.scope.place,
      );
    }
  },
  derive(conf, scope): { readonly tls: TlsSettings | undefined } {
    if (conf.ssl_certificate.length === 0) return { tls: undefined };
    const build = scope.need(HTTP);
    const at = scope.set.get('ssl_certificate') ?? build.scope.set.get('ssl_certificate');
    const settings: ContextConf = {
      certificates: conf.ssl_certificate,
      keys: conf.ssl_certificate_key,
      passwords: conf.ssl_password_file,
      protocols: conf.ssl_protocols,
      ciphers: conf.ssl_ciphers,
      preferServerCiphers: conf.ssl_prefer_server_ciphers,
      curves: conf.ssl_ecdh_curve,
      dhparam: conf.ssl_dhparam,
      tickets: conf.ssl_session_tickets,
      sessionTimeout: conf.ssl_session_timeout,
      base: scope.load.confPrefix,
    };
    return { tls: { context: contextOf(build, settings, at), fragment: conf.ssl_buffer_size } };
  },
});

/** What TLS connections to an address offer where `server` is asked for; its default server's where that has no certificate. */
export const tlsOf = (server: Server, fallback: Server): TlsSettings => {
  const settings = server.location.confOf(sslModule).tls ?? fallback.location.confOf(sslModule).tls;
  if (!settings) throw new Error(`no certificate for server "${fallback.name}"`);
  return settings;
};
