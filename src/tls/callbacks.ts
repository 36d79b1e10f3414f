/**
 * What OpenSSL asks of us while it works on a connection. There is one set of functions for the process; `party` is
 * the connection whose call is being made, so nothing needs to be looked up.
 */
import { callback, copyOf, derOf, openssl, readDer, TLS1_3, viewOf } from './openssl.ts';
import type { SessionStore } from './session-store.ts';
import { type TicketKeys, ticketCallback } from './tickets.ts';

/** A connection as the callbacks see it. */
export interface Party {
  /** What ALPN may choose from, in the form of the wire, and where that is in memory. */
  readonly offered: Buffer;
  readonly offeredAt: number;
  /** Of the server that the connection came in on, which its sessions belong to. */
  readonly store: SessionStore | undefined;
  readonly tickets: TicketKeys | undefined;
  readonly sessionTimeout: number;
  /** Chooses certificates by variables; false when that fails. */
  certify(): boolean;
  /** Its hello makes sense, but is not what the server is for (`ssl_reject_handshake`). */
  turnAway(): void;
  /** The response of an OCSP responder about one of our certificates, if there is one. */
  staple(certificate: number): Buffer | undefined;
}

let party: Party | undefined;

/** Says whose call comes next. */
export const enter = (next: Party): void => {
  party = next;
};

export interface ConnectionCallbacks {
  readonly alpn: number;
  readonly certificate: number;
  readonly rejection: number;
  readonly serverName: number;
  readonly verify: number;
  readonly newSession: number;
  readonly findSession: number;
  readonly removeSession: number;
  readonly ticket: number;
  readonly staple: number;
}

const HELLO_ERROR = 0;
const UNRECOGNIZED_NAME = 112;
const TLSEXT_OK = 0;
const TLSEXT_FATAL = 2;
const TLSEXT_NOACK = 3;
const CTRL_SET_OCSP_RESPONSE = 71;
const OP_NO_TICKET = 2 ** 14;

/** The first name of ours that the client has too (RFC 7301 section 3.2). */
const selectAlpn = (out: number, outLength: number, theirsAt: number, length: number): number => {
  if (!party) return TLSEXT_NOACK;
  const { offered: alpn, offeredAt: alpnAt } = party;
  if (alpn.length === 0) return TLSEXT_NOACK;
  const theirs = copyOf(theirsAt, length);
  for (let at = 0; at < alpn.length; at += 1 + (alpn[at] ?? 0)) {
    const size = alpn[at] ?? 0;
    for (let other = 0; other < theirs.length; other += 1 + (theirs[other] ?? 0)) {
      if (theirs[other] !== size) continue;
      if (alpn.compare(theirs, other, other + 1 + size, at, at + 1 + size) !== 0) continue;
      new DataView(viewOf(out, 8).buffer).setBigUint64(0, BigInt(alpnAt + at + 1), true);
      viewOf(outLength, 1)[0] = size;
      return TLSEXT_OK;
    }
  }
  return TLSEXT_FATAL;
};

/** `alert`: where the number of the alert is to be. */
const turnAway = (alert: number): number => {
  new DataView(viewOf(alert, 4).buffer).setInt32(0, UNRECOGNIZED_NAME, true);
  party?.turnAway();
  return HELLO_ERROR;
};

const idOf = (session: number): Buffer => {
  const length = Buffer.alloc(4);
  const at = openssl().SSL_SESSION_get_id(session, length);
  return copyOf(at, length.readUInt32LE());
};

const keepSession = (ssl: number, session: number): number => {
  const library = openssl();
  // With TLS 1.3 the ticket holds the session; it is kept here only when there are no tickets.
  if (library.SSL_version(ssl) === TLS1_3) {
    const tickets = Math.floor(library.SSL_get_options(ssl) / OP_NO_TICKET) % 2 === 0;
    if (tickets) return 0;
  }
  party?.store?.add(idOf(session), derOf('i2d_SSL_SESSION', session), party.sessionTimeout);
  return 0;
};

const findSession = (id: number, length: number, copy: number): number => {
  viewOf(copy, 4).fill(0);
  const found = party?.store?.find(copyOf(id, length));
  return found ? readDer('d2i_SSL_SESSION', found) : 0;
};

const staple = (ssl: number): number => {
  const library = openssl();
  const response = party?.staple(library.SSL_get_certificate(ssl));
  if (!response) return TLSEXT_NOACK;
  // The library frees it.
  const at = library.CRYPTO_malloc(response.length, 0, 0);
  viewOf(at, response.length).set(response);
  library.SSL_ctrl(ssl, CTRL_SET_OCSP_RESPONSE, response.length, at);
  return TLSEXT_OK;
};

let registered: ConnectionCallbacks | undefined;

/** The functions, as OpenSSL is given them. */
export const callbacks = (): ConnectionCallbacks => {
  registered ??= {
    alpn: callback(
      'int',
      ['int64', 'int64', 'int64', 'int64', 'uint', 'int64'],
      (_ssl = 0, out = 0, outLength = 0, offered = 0, length = 0) =>
        selectAlpn(out, outLength, offered, length),
    ),
    certificate: callback('int', ['int64', 'int64'], () => (party?.certify() ? 1 : 0)),
    rejection: callback('int', ['int64', 'int64', 'int64'], (_ssl = 0, alert = 0) => turnAway(alert)),
    // The name has chosen a server already; by this the client is told so, and its session remembers the name.
    serverName: callback('int', ['int64', 'int64', 'int64'], () => TLSEXT_OK),
    // What is wrong with a certificate is asked for once the handshake is done.
    verify: callback('int', ['int', 'int64'], () => 1),
    newSession: callback('int', ['int64', 'int64'], (ssl = 0, session = 0) => keepSession(ssl, session)),
    findSession: callback(
      'int64',
      ['int64', 'int64', 'int', 'int64'],
      (_ssl = 0, id = 0, length = 0, copy = 0) => findSession(id, length, copy),
    ),
    removeSession: callback('void', ['int64', 'int64'], (_context = 0, session = 0) => {
      party?.store?.remove(idOf(session));
      return undefined;
    }),
    ticket: ticketCallback(() => party?.tickets),
    staple: callback('int', ['int64', 'int64'], (ssl = 0) => staple(ssl)),
  };
  return registered;
};
