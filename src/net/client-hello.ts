/** The server name (SNI) that a TLS client asks for, read from its first bytes (RFC 8446 section 4.1.2, RFC 6066 section 3). */

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** A longer first message is left to OpenSSL to refuse. */
const LONGEST = 65536;

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
    const end = at + 5 + bytes.readUInt16BE(at + 3);
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

/** The extensions of a client's hello; empty when there are none. */
const extensions = (hello: Buffer): Buffer => {
  // Type and length, version, random; then session id, cipher suites and compression methods.
  let at = 38;
  at += 1 + (hello[at] ?? 0);
  if (at + 2 > hello.length) return hello.subarray(0, 0);
  at += 2 + hello.readUInt16BE(at);
  at += 1 + (hello[at] ?? 0);
  return at + 2 > hello.length ? hello.subarray(0, 0) : hello.subarray(at + 2);
};

/**
 * The name as the client wrote it; '' when it names none or what it sent makes no sense (OpenSSL will say
 * so); undefined while more bytes are needed.
 */
export const serverName = (bytes: Buffer): string | undefined => {
  const hello = firstMessage(bytes);
  if (!hello) return undefined;
  const list = extensions(hello);
  for (let at = 0; at + 4 <= list.length; ) {
    const type = list.readUInt16BE(at);
    const end = at + 4 + list.readUInt16BE(at + 2);
    if (end > list.length) return '';
    if (type === SERVER_NAME && at + 9 <= end && list[at + 6] === HOST_NAME) {
      return list.toString('latin1', at + 9, Math.min(end, at + 9 + list.readUInt16BE(at + 7)));
    }
    at = end;
  }
  return '';
};
