/** The server name (SNI) that a TLS client asks for, read from its first bytes (RFC 8446 section 4.1.2, RFC 6066 section 3). */

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** What is before a record's content, and before a message's. */
const RECORD_HEAD = 5;
const MESSAGE_HEAD = 4;
/** A longer first message is left to OpenSSL to refuse. */
const LONGEST = 65536;
/** So is a record that is longer, or of another protocol's version. */
const LONGEST_RECORD = 16384;
const MAJOR_VERSION = 3;

/** Whether a connection begins as TLS (or SSLv2) does, by its first byte. */
export const beginsTls = (first: number): boolean => first === HANDSHAKE || (first & 0x80) !== 0;

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
 * The name as the client wrote it, in the first `length` bytes of its connection, where one record holds all of the
 * hello, as a rule: it is read where it stands. '' when the client names none; undefined when a `HelloReader` is needed.
 */
export const serverName = (bytes: Buffer, length: number): string | undefined => {
  const heads = RECORD_HEAD + MESSAGE_HEAD;
  if (length < heads || bytes[0] !== HANDSHAKE || bytes[RECORD_HEAD] !== CLIENT_HELLO) return undefined;
  const end = heads + bytes.readUIntBE(6, 3);
  return end <= RECORD_HEAD + uint16(bytes, 3) && end <= length ? nameIn(bytes, RECORD_HEAD, end) : undefined;
};

/** Bytes that others are put behind. */
class Gathered {
  bytes: Buffer = Buffer.alloc(0);
  length = 0;

  add(from: Buffer, start: number, end: number): void {
    const length = this.length + end - start;
    if (length > this.bytes.length) {
      const larger = Buffer.allocUnsafe(2 * length);
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    from.copy(this.bytes, this.length, start, end);
    this.length = length;
  }
}

/** A hello that comes in pieces or in many records, which may be as small as the client likes: each is looked at once. */
export class HelloReader {
  /** All that has come. */
  readonly #input = new Gathered();
  /** What the records hold: the first handshake message. */
  readonly #message = new Gathered();
  /** Where the next record begins. */
  #at = 0;

  /** All that has come, the bytes behind the hello included. */
  get bytes(): Buffer {
    return this.#input.bytes.subarray(0, this.#input.length);
  }

  /**
   * Takes what comes next. Answers the name as the client wrote it; '' when it names none or what it has sent makes no
   * sense (OpenSSL will say so); undefined while more is needed.
   */
  read(bytes: Buffer, length: number): string | undefined {
    this.#input.add(bytes, 0, length);
    const { bytes: input, length: end } = this.#input;
    while (this.#at < end) {
      if (input[this.#at] !== HANDSHAKE) return '';
      const start = this.#at + RECORD_HEAD;
      if (start > end) return undefined;
      const size = uint16(input, start - 2);
      if (size === 0 || size > LONGEST_RECORD || input[this.#at + 1] !== MAJOR_VERSION) return '';
      if (start + size > end) return undefined;
      this.#message.add(input, start, start + size);
      this.#at = start + size;
      const name = this.#nameSoFar();
      if (name !== undefined) return name;
    }
    return undefined;
  }

  #nameSoFar(): string | undefined {
    const { bytes, length } = this.#message;
    if (bytes[0] !== CLIENT_HELLO) return '';
    if (length < MESSAGE_HEAD) return undefined;
    const whole = MESSAGE_HEAD + bytes.readUIntBE(1, 3);
    if (length >= whole) return nameIn(bytes, 0, whole);
    return whole > LONGEST ? '' : undefined;
  }
}
