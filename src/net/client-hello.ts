/** The server name (SNI) that a TLS client asks for, read from its first bytes (RFC 8446 section 4.1.2, RFC 6066 section 3). */

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** A longer first message is left to OpenSSL to refuse. */
const LONGEST = 65536;
/** So is a record that is longer, or of another protocol's version. */
const LONGEST_RECORD = 16384;
const MAJOR_VERSION = 3;

/** Whether a connection begins as TLS (or SSLv2) does, by its first byte. */
export const beginsTls = (first: number): boolean => first === HANDSHAKE || (first & 0x80) !== 0;

/** The first handshake message; undefined while it is not complete, empty when it is none. */
const firstMessage = (bytes: Buffer): Buffer | undefined => {
  const parts: Buffer[] = [];
  let length = 0;
  for (let at = 0; length < LONGEST; ) {
    if (at >= bytes.length) return undefined;
    if (bytes[at] !== HANDSHAKE) break;
    if (at + 5 > bytes.length) return undefined;
    const size = bytes.readUInt16BE(at + 3);
    if (bytes[at + 1] !== MAJOR_VERSION || size > LONGEST_RECORD) break;
    const end = at + 5 + size;
    if (end > bytes.length) return undefined;
    parts.push(bytes.subarray(at + 5, end));
    length += end - at - 5;
    at = end;
    const message = parts.length === 1 ? (parts[0] ?? bytes) : Buffer.concat(parts);
    if (length < 4) continue;
    if (message[0] !== CLIENT_HELLO) break;
    const whole = 4 + message.readUIntBE(1, 3);
    if (length >= whole) return message.subarray(0, whole);
    if (whole > LONGEST) break;
  }
  return bytes.subarray(0, 0);
};

const uint16 = (bytes: Buffer, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** The name in the hello that stands from `start` to `end`; '' when there is none, or it makes no sense. */
const nameIn = (bytes: Buffer, start: number, end: number): string => {
  // Type and length, version, random; then session id, cipher suites, compression methods, length of the extensions.
  let at = start + 38;
  at += 1 + (bytes[at] ?? 0);
  at += 2 + uint16(bytes, at);
  at += 1 + (bytes[at] ?? 0);
  at += 2;
  while (at + 4 <= end) {
    const next = at + 4 + uint16(bytes, at + 2);
    if (next > end) return '';
    if (uint16(bytes, at) === SERVER_NAME && at + 9 <= next && bytes[at + 6] === HOST_NAME) {
      return bytes.latin1Slice(at + 9, Math.min(next, at + 9 + uint16(bytes, at + 7)));
    }
    at = next;
  }
  return '';
};

/**
 * The name as the client wrote it, in the first `length` bytes of its connection; '' when it names none or what it
 * sent makes no sense (OpenSSL will say so); undefined while more bytes are needed.
 */
export const serverName = (bytes: Buffer, length: number): string | undefined => {
  // One record holds all of it, as a rule: it is read where it stands.
  if (length > 9 && bytes[0] === HANDSHAKE && bytes[5] === CLIENT_HELLO) {
    const end = 9 + bytes.readUIntBE(6, 3);
    if (end <= 5 + uint16(bytes, 3) && end <= length) return nameIn(bytes, 5, end);
  }
  const hello = firstMessage(bytes.subarray(0, length));
  return hello && nameIn(hello, 0, hello.length);
};
