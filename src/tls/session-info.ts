/** What has been agreed on with a client, and what its certificate says: the values of `$ssl_...`. */
import { createHash } from 'node:crypto';
import type { TlsConnection } from './connection.ts';
import { copyOf, derOf, openssl, pointerIn } from './openssl.ts';
import { textOfTime, written } from './text.ts';

const CTRL_GET_GROUPS = 90;
const CTRL_GET_RAW_CIPHERLIST = 110;
const CTRL_GET_NEGOTIATED_GROUP = 134;
/** A group that OpenSSL has no number of its own for. */
const UNKNOWN_GROUP = 0x1000000;
const RFC2253 = 0x1110317;
const DAY = 86400;

type Get = (connection: TlsConnection) => string;

/** Nothing is left to ask once the connection is gone. */
const live =
  (get: (ssl: number) => string): Get =>
  ({ ssl }) =>
    ssl === 0 ? '' : get(ssl);

export const protocol = live((ssl) => openssl().SSL_get_version(ssl) ?? '');

export const cipher = live((ssl) => {
  const library = openssl();
  return library.SSL_CIPHER_get_name(library.SSL_get_current_cipher(ssl)) ?? '';
});

export const ciphers = live((ssl) => {
  const library = openssl();
  const pointer = Buffer.alloc(8);
  const each = library.SSL_ctrl(ssl, CTRL_GET_RAW_CIPHERLIST, 0, 0);
  const length = library.SSL_ctrl_bytes(ssl, CTRL_GET_RAW_CIPHERLIST, 0, pointer);
  if (length <= 0 || each <= 0) return '';
  const list = copyOf(pointerIn(pointer), length);
  const names: string[] = [];
  for (let at = 0; at + each <= length; at += each) {
    const one = list.subarray(at, at + each);
    const known = library.SSL_CIPHER_find(ssl, one);
    names.push(known === 0 ? `0x${one.toString('hex')}` : (library.SSL_CIPHER_get_name(known) ?? ''));
  }
  return names.join(':');
});

const groupName = (ssl: number, group: number): string => {
  const library = openssl();
  if ((group & UNKNOWN_GROUP) === 0) return library.OBJ_nid2sn(group) ?? '';
  return library.SSL_group_to_name(ssl, group) ?? `0x${(group & 0xffff).toString(16).padStart(4, '0')}`;
};

export const curve = live((ssl) => {
  const group = openssl().SSL_ctrl(ssl, CTRL_GET_NEGOTIATED_GROUP, 0, 0);
  return group === 0 ? '' : groupName(ssl, group);
});

export const curves = live((ssl) => {
  const library = openssl();
  const count = library.SSL_ctrl(ssl, CTRL_GET_GROUPS, 0, 0);
  if (count <= 0) return '';
  const list = Buffer.alloc(4 * count);
  library.SSL_ctrl_bytes(ssl, CTRL_GET_GROUPS, 0, list);
  return Array.from({ length: count }, (_, index) => groupName(ssl, list.readInt32LE(4 * index))).join(':');
});

export const signatureAlgorithms = live((ssl) => {
  const library = openssl();
  const count = library.SSL_get_sigalgs(ssl, -1, 0, 0, 0, null, null);
  const [signature, hash] = [Buffer.alloc(1), Buffer.alloc(1)];
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    library.SSL_get_sigalgs(ssl, index, 0, 0, 0, signature, hash);
    names.push(`0x${hash.toString('hex')}${signature.toString('hex')}`);
  }
  return names.join(':');
});

export const sessionId = live((ssl) => {
  const library = openssl();
  const session = library.SSL_get_session(ssl);
  if (session === 0) return '';
  const length = Buffer.alloc(4);
  const at = library.SSL_SESSION_get_id(session, length);
  return copyOf(at, length.readUInt32LE()).toString('hex');
});

export const sessionReused = live((ssl) => (openssl().SSL_session_reused(ssl) === 1 ? 'r' : '.'));

export const earlyData = live((ssl) => (openssl().SSL_is_init_finished(ssl) === 0 ? '1' : ''));

export const serverName = live((ssl) => openssl().SSL_get_servername(ssl, 0) ?? '');

export const alpnProtocol: Get = ({ alpn }) => alpn;

/** A value of the client's certificate; '' without one. */
const ofCertificate = (get: (certificate: number) => string): Get =>
  live((ssl) => {
    const library = openssl();
    const certificate = library.SSL_get1_peer_certificate(ssl);
    if (certificate === 0) return '';
    try {
      return get(certificate);
    } finally {
      library.X509_free(certificate);
    }
  });

export const rawCertificate = ofCertificate((at) => written((bio) => openssl().PEM_write_bio_X509(bio, at)));

/** Lines behind the first are indented, as header lines were once continued. */
export const certificate: Get = (connection) =>
  rawCertificate(connection).slice(0, -1).replaceAll('\n', '\n\t');

export const escapedCertificate: Get = (connection) => encodeURIComponent(rawCertificate(connection));

const name = (at: number): string => written((bio) => openssl().X509_NAME_print_ex(bio, at, 0, RFC2253));

const oneLine = (at: number): string => {
  const room = Buffer.alloc(65536);
  openssl().X509_NAME_oneline(at, room, room.length);
  return room.toString('latin1', 0, room.indexOf(0));
};

export const subject = ofCertificate((at) => name(openssl().X509_get_subject_name(at)));
export const issuer = ofCertificate((at) => name(openssl().X509_get_issuer_name(at)));
export const subjectLegacy = ofCertificate((at) => oneLine(openssl().X509_get_subject_name(at)));
export const issuerLegacy = ofCertificate((at) => oneLine(openssl().X509_get_issuer_name(at)));

export const serial = ofCertificate((at) =>
  written((bio) => openssl().i2a_ASN1_INTEGER(bio, openssl().X509_get_serialNumber(at))),
);

export const fingerprint = ofCertificate((at) =>
  createHash('sha1').update(derOf('i2d_X509', at)).digest('hex'),
);

export const validFrom = ofCertificate((at) => textOfTime(openssl().X509_get0_notBefore(at)));
export const validTo = ofCertificate((at) => textOfTime(openssl().X509_get0_notAfter(at)));

/** Whole days. */
export const daysLeft = ofCertificate((at) => {
  const end = Date.parse(textOfTime(openssl().X509_get0_notAfter(at)));
  if (Number.isNaN(end)) return '';
  return `${Math.max(0, Math.floor((end - Date.now()) / (DAY * 1000)))}`;
});

/** `NONE`, `SUCCESS` or `FAILED:reason`. */
export const verification: Get = (connection) => {
  if (connection.ssl === 0 || !connection.peerCertificate) return 'NONE';
  const library = openssl();
  const result = library.SSL_get_verify_result(connection.ssl);
  const reason = result === 0 ? connection.objection : library.X509_verify_cert_error_string(result);
  return reason === '' ? 'SUCCESS' : `FAILED:${reason}`;
};
