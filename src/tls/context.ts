/** A server's SSL_CTX: certificates, protocols, ciphers, authorities, sessions, as `ssl_*` directives describe it. */
import { createHash } from 'node:crypto';
import { type ConnectionCallbacks, callbacks } from './callbacks.ts';
import { takeErrors } from './errors.ts';
import { cText, derOf, openssl, TLS1_3 } from './openssl.ts';
import { freeWith, type Owned } from './owned.ts';
import { PemError, readParameters, withStack } from './pem.ts';
import type { SessionStore } from './session-store.ts';
import type { Staple } from './stapling.ts';
import type { TicketKeys } from './tickets.ts';

const CTRL_SET_TMP_DH = 3;
const CTRL_MODE = 33;
const CTRL_SET_READ_AHEAD = 41;
const CTRL_SET_SESS_CACHE_SIZE = 42;
const CTRL_SET_SESS_CACHE_MODE = 44;
const CTRL_SET_SERVERNAME_CALLBACK = 53;
const CTRL_SET_TICKET_KEYS = 59;
const CTRL_SET_STATUS_CALLBACK = 63;
const CTRL_CHAIN = 88;
const CTRL_SET_GROUPS_LIST = 92;
const CTRL_SET_MIN_PROTO_VERSION = 123;
const CTRL_SET_MAX_PROTO_VERSION = 124;

const MODE_RELEASE_BUFFERS = 16;
const MODE_ACCEPT_MOVING_WRITE_BUFFER = 2;
const MODE_NO_AUTO_CHAIN = 8;

const SESS_CACHE_OFF = 0;
const SESS_CACHE_SERVER = 2;
const SESS_CACHE_NO_AUTO_CLEAR = 0x80;
const SESS_CACHE_NO_INTERNAL_STORE = 0x200;
const SESS_CACHE_NO_INTERNAL = 0x300;

const OP_IGNORE_UNEXPECTED_EOF = 2 ** 7;
const OP_NO_TICKET = 2 ** 14;
const OP_NO_COMPRESSION = 2 ** 17;
const OP_CIPHER_SERVER_PREFERENCE = 2 ** 22;
const OP_NO_ANTI_REPLAY = 2 ** 24;
const OP_NO_SSLV3 = 2 ** 25;
const OP_NO_TLSV1 = 2 ** 26;
const OP_NO_TLSV1_2 = 2 ** 27;
const OP_NO_TLSV1_1 = 2 ** 28;
const OP_NO_TLSV1_3 = 2 ** 29;
const OP_NO_RENEGOTIATION = 2 ** 30;

/** What a protocol that is not named is shut out by. */
const WITHOUT: readonly (readonly [protocol: string, option: number])[] = [
  ['SSLv3', OP_NO_SSLV3],
  ['TLSv1', OP_NO_TLSV1],
  ['TLSv1.1', OP_NO_TLSV1_1],
  ['TLSv1.2', OP_NO_TLSV1_2],
  ['TLSv1.3', OP_NO_TLSV1_3],
];

const VERIFY_PEER = 1;
const CRL_CHECK_ALL = 4 | 8;
const CONF_FILE = 2;
const CONF_CLIENT = 4;
const CONF_SERVER = 8;
const CONF_SHOW_ERRORS = 0x10;
const CONF_CERTIFICATE = 0x20;
const CONF_TYPE_FILE = 2;
const CONF_TYPE_DIR = 3;
/** Bytes of early data that a client may send. */
const MOST_EARLY_DATA = 16384;

/** A certificate with its chain, and its key; the names are for errors. */
export interface KeyPair {
  readonly certificateName: string;
  readonly chain: readonly Owned[];
  readonly keyName: string;
  readonly key: Owned;
}

/** `ssl_session_cache`: what OpenSSL keeps itself (`builtin` sessions, 0 for its default), or nothing. */
export type BuiltinSessions = 'off' | 'none' | 'shared-only' | number;

/** What sessions are bound to beside certificates. */
export type SessionOwner = 'HTTP' | 'STREAM';

/** Its calls throw PemError with nginx's words. */
export class TlsContext {
  readonly at: number;
  /** Sessions in shared memory; set before the first connection. */
  store: SessionStore | undefined = undefined;
  /** Keys of tickets; undefined: OpenSSL's own. */
  tickets: TicketKeys | undefined = undefined;
  /** Certificates with their chains, in the order of the configuration. */
  readonly pairs: KeyPair[] = [];
  /** By certificate, what is sent about it (`ssl_stapling`). */
  readonly staples = new Map<number, Staple>();
  /** Early data is taken (`ssl_early_data`). */
  earlyData = false;
  /** Seconds that a session may be resumed. */
  timeout = 300;
  /** Its clients are sent no tickets (`ssl_session_tickets off`). */
  ticketless = false;
  /** It keeps no sessions, which are kept by the default server of an address. */
  forgets = false;
  readonly #idParts: Buffer[] = [];

  constructor(protocols: readonly string[]) {
    const ssl = openssl();
    const at = ssl.SSL_CTX_new(ssl.TLS_method());
    if (at === 0) throw new PemError(`SSL_CTX_new() failed${takeErrors()}`);
    this.at = at;
    freeWith(this, at, ssl.SSL_CTX_free);
    let options = OP_NO_COMPRESSION + OP_NO_ANTI_REPLAY + OP_IGNORE_UNEXPECTED_EOF + OP_NO_RENEGOTIATION;
    for (const [protocol, option] of WITHOUT) if (!protocols.includes(protocol)) options += option;
    ssl.SSL_CTX_clear_options(at, OP_NO_SSLV3 + OP_NO_TLSV1 + OP_NO_TLSV1_1 + OP_NO_TLSV1_2 + OP_NO_TLSV1_3);
    ssl.SSL_CTX_set_options(at, options);
    ssl.SSL_CTX_ctrl(at, CTRL_SET_MIN_PROTO_VERSION, 0, 0);
    ssl.SSL_CTX_ctrl(at, CTRL_SET_MAX_PROTO_VERSION, TLS1_3, 0);
    ssl.SSL_CTX_ctrl(
      at,
      CTRL_MODE,
      MODE_RELEASE_BUFFERS | MODE_NO_AUTO_CHAIN | MODE_ACCEPT_MOVING_WRITE_BUFFER,
      0,
    );
    ssl.SSL_CTX_ctrl(at, CTRL_SET_READ_AHEAD, 1, 0);
    ssl.SSL_CTX_set_alpn_select_cb(at, this.#callbacks.alpn, 0);
    ssl.SSL_CTX_callback_ctrl(at, CTRL_SET_SERVERNAME_CALLBACK, this.#callbacks.serverName);
  }

  get #callbacks(): ConnectionCallbacks {
    return callbacks();
  }

  setCiphers(ciphers: string, preferOurs: boolean): void {
    const ssl = openssl();
    if (ssl.SSL_CTX_set_cipher_list(this.at, cText(ciphers)) === 0) {
      throw new PemError(`SSL_CTX_set_cipher_list("${ciphers}") failed${takeErrors()}`);
    }
    if (preferOurs) ssl.SSL_CTX_set_options(this.at, OP_CIPHER_SERVER_PREFERENCE);
  }

  addPair(pair: KeyPair): void {
    const { certificateName, chain, keyName, key } = pair;
    const ssl = openssl();
    const [first, ...rest] = chain;
    if (!first) throw new Error(`no certificate in "${certificateName}"`);
    const check = (call: string, name: string, result: number): void => {
      if (result === 0) throw new PemError(`${call}("${name}") failed${takeErrors()}`);
    };
    check('SSL_CTX_use_certificate', certificateName, ssl.SSL_CTX_use_certificate(this.at, first.at));
    check(
      'SSL_CTX_set0_chain',
      certificateName,
      withStack(rest, (stack) => ssl.SSL_CTX_ctrl(this.at, CTRL_CHAIN, 1, stack)),
    );
    check('SSL_CTX_use_PrivateKey', keyName, ssl.SSL_CTX_use_PrivateKey(this.at, key.at));
    this.pairs.push(pair);
    this.#idParts.push(createHash('sha1').update(derOf('i2d_X509', first.at)).digest());
  }

  /** Every client is turned away (`ssl_reject_handshake`). */
  turnAway(): void {
    openssl().SSL_CTX_set_client_hello_cb(this.at, this.#callbacks.rejection, 0);
  }

  /** Certificates are chosen in the handshake, by the names in the configuration. */
  chooseCertificates(names: readonly string[]): void {
    openssl().SSL_CTX_set_cert_cb(this.at, this.#callbacks.certificate, 0);
    for (const name of names) this.#idParts.push(Buffer.from(name, 'latin1'));
  }

  /** Asks clients for a certificate; `authorities` are named to them and trusted. */
  askForCertificate(authorities: readonly Owned[], depth: number): void {
    const ssl = openssl();
    ssl.SSL_CTX_set_verify(this.at, VERIFY_PEER, this.#callbacks.verify);
    ssl.SSL_CTX_set_verify_depth(this.at, depth);
    if (authorities.length === 0) return;
    this.#trust(authorities);
    const names: number[] = [];
    const list = ssl.OPENSSL_sk_new_null();
    for (const { at } of authorities) {
      const name = ssl.X509_get_subject_name(at);
      if (names.some((known) => ssl.X509_NAME_cmp(known, name) === 0)) continue;
      const copy = ssl.X509_NAME_dup(name);
      names.push(copy);
      ssl.OPENSSL_sk_push(list, copy);
      this.#idParts.push(createHash('sha1').update(derOf('i2d_X509_NAME', copy)).digest());
    }
    ssl.SSL_CTX_set_client_CA_list(this.at, list);
  }

  /** `ssl_trusted_certificate`: trusted, but not named to clients. */
  trust(authorities: readonly Owned[], depth: number): void {
    const ssl = openssl();
    ssl.SSL_CTX_set_verify(this.at, ssl.SSL_CTX_get_verify_mode(this.at), this.#callbacks.verify);
    ssl.SSL_CTX_set_verify_depth(this.at, depth);
    this.#trust(authorities);
  }

  #trust(authorities: readonly Owned[]): void {
    const ssl = openssl();
    const store = ssl.SSL_CTX_get_cert_store(this.at);
    for (const { at } of authorities) ssl.X509_STORE_add_cert(store, at);
  }

  addCrls(crls: readonly Owned[]): void {
    const ssl = openssl();
    const store = ssl.SSL_CTX_get_cert_store(this.at);
    for (const { at } of crls) ssl.X509_STORE_add_crl(store, at);
    ssl.X509_STORE_set_flags(store, CRL_CHECK_ALL);
  }

  setDhParameters(path: string): void {
    const ssl = openssl();
    const parameters = readParameters(path);
    const set = ssl.SSL_CTX_ctrl(this.at, CTRL_SET_TMP_DH, 0, parameters);
    ssl.DH_free(parameters);
    if (set !== 1) throw new PemError(`SSL_CTX_set_tmp_dh("${path}") failed${takeErrors()}`);
  }

  setCurves(curves: string): void {
    if (openssl().SSL_CTX_ctrl_bytes(this.at, CTRL_SET_GROUPS_LIST, 0, cText(curves)) === 0) {
      throw new PemError(`SSL_CTX_set1_curves_list("${curves}") failed${takeErrors()}`);
    }
  }

  /** Must follow certificates and authorities, which a session is bound to. */
  setSessions(owner: SessionOwner, builtin: BuiltinSessions, shared: boolean, timeout: number): void {
    const ssl = openssl();
    this.timeout = timeout;
    ssl.SSL_CTX_set_timeout(this.at, timeout);
    const hash = createHash('sha1').update(owner);
    for (const part of this.#idParts) hash.update(part);
    const id = hash.digest();
    ssl.SSL_CTX_set_session_id_context(this.at, id, id.length);
    this.forgets = builtin === 'off' || builtin === 'none';
    const mode = (bits: number): void => {
      ssl.SSL_CTX_ctrl(this.at, CTRL_SET_SESS_CACHE_MODE, bits, 0);
    };
    if (builtin === 'off') {
      mode(SESS_CACHE_OFF);
      return;
    }
    if (builtin === 'none') {
      mode(SESS_CACHE_SERVER | SESS_CACHE_NO_AUTO_CLEAR | SESS_CACHE_NO_INTERNAL_STORE);
      ssl.SSL_CTX_ctrl(this.at, CTRL_SET_SESS_CACHE_SIZE, 1, 0);
      return;
    }
    mode(SESS_CACHE_SERVER | (builtin === 'shared-only' ? SESS_CACHE_NO_INTERNAL : 0));
    if (typeof builtin === 'number' && builtin > 0)
      ssl.SSL_CTX_ctrl(this.at, CTRL_SET_SESS_CACHE_SIZE, builtin, 0);
    if (!shared) return;
    ssl.SSL_CTX_sess_set_new_cb(this.at, this.#callbacks.newSession);
    ssl.SSL_CTX_sess_set_get_cb(this.at, this.#callbacks.findSession);
    ssl.SSL_CTX_sess_set_remove_cb(this.at, this.#callbacks.removeSession);
  }

  withoutTickets(): void {
    this.ticketless = true;
    openssl().SSL_CTX_set_options(this.at, OP_NO_TICKET);
  }

  /** Tickets by keys of ours. */
  setTicketKeys(keys: TicketKeys): void {
    this.tickets = keys;
    openssl().SSL_CTX_set_tlsext_ticket_key_evp_cb(this.at, this.#callbacks.ticket);
  }

  /** Tickets by one key that OpenSSL uses itself, see `fixedKeys`. */
  setFixedKeys(keys: Buffer): void {
    openssl().SSL_CTX_ctrl_bytes(this.at, CTRL_SET_TICKET_KEYS, keys.length, keys);
  }

  /** Sends along what `staples` holds. */
  sendStaples(): void {
    openssl().SSL_CTX_callback_ctrl(this.at, CTRL_SET_STATUS_CALLBACK, this.#callbacks.staple);
  }

  takeEarlyData(): void {
    this.earlyData = true;
    openssl().SSL_CTX_set_max_early_data(this.at, MOST_EARLY_DATA);
  }

  /** `ssl_conf_command`; `full` makes a name of a file absolute. */
  configure(
    commands: readonly (readonly [name: string, value: string])[],
    full: (name: string) => string,
  ): void {
    const ssl = openssl();
    const conf = ssl.SSL_CONF_CTX_new();
    ssl.SSL_CONF_CTX_set_flags(
      conf,
      CONF_FILE | CONF_SERVER | CONF_CLIENT | CONF_CERTIFICATE | CONF_SHOW_ERRORS,
    );
    ssl.SSL_CONF_CTX_set_ssl_ctx(conf, this.at);
    try {
      for (const [name, text] of commands) {
        const type = ssl.SSL_CONF_cmd_value_type(conf, cText(name));
        const value = type === CONF_TYPE_FILE || type === CONF_TYPE_DIR ? full(text) : text;
        if (ssl.SSL_CONF_cmd(conf, cText(name), cText(value)) <= 0)
          throw new PemError(`SSL_CONF_cmd("${name}", "${value}") failed${takeErrors()}`);
      }
      if (ssl.SSL_CONF_CTX_finish(conf) !== 1) throw new PemError(`SSL_CONF_finish() failed${takeErrors()}`);
    } finally {
      ssl.SSL_CONF_CTX_free(conf);
    }
  }
}
