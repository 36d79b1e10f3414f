/** What a TLS client's hello says (RFC 8446 section 4.1.2), read along while somebody else is to have the connection. */

/** What reading came to. */
export const HELLO_READ = 0;
/** More has to come. */
export const HELLO_SHORT = 1;
/** It is no hello. */
export const NO_HELLO = 2;

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const MAJOR_VERSION = 3;
const TLS1_3 = 4;
const RECORD_HEAD = 5;
const RANDOM = 32;
const HOST_NAME = 0;
const SERVER_NAME = 0;
const ALPN = 16;
const SUPPORTED_VERSIONS = 43;

/** Names of versions as OpenSSL writes them, by both bytes. */
const VERSIONS: ReadonlyMap<number, string> = new Map([
  [0x0002, 'SSLv2'],
  [0x0300, 'SSLv3'],
  [0x0301, 'TLSv1'],
  [0x0302, 'TLSv1.1'],
  [0x0303, 'TLSv1.2'],
  [0x0304, 'TLSv1.3'],
]);

/** A message that may not have come whole. Behind its end, or the end of what is there, all values are 0. */
class Cursor {
  verdict = HELLO_READ;
  #at = 0;
  /** Bytes that the message still has. */
  left = 4;

  constructor(readonly bytes: Buffer) {}

  get good(): boolean {
    return this.verdict === HELLO_READ;
  }

  refuse(): void {
    this.verdict = NO_HELLO;
  }

  /** Takes `count` bytes; answers where they begin, or -1. */
  skip(count: number): number {
    if (!this.good) return -1;
    if (this.left < count) this.verdict = NO_HELLO;
    else if (this.#at + count > this.bytes.length) this.verdict = HELLO_SHORT;
    if (!this.good) return -1;
    this.#at += count;
    this.left -= count;
    return this.#at - count;
  }

  number(size: number): number {
    const at = this.skip(size);
    return at < 0 ? 0 : this.bytes.readUIntBE(at, size);
  }

  text(length: number): string {
    const at = this.skip(length);
    return at < 0 ? '' : this.bytes.latin1Slice(at, at + length);
  }
}

export class HelloFacts {
  /** The name (SNI) that is asked for; '' when there is none. */
  name = '';
  /** The protocols that ALPN offers, with commas between them. */
  protocols = '';
  #version = 0;
  #hasName = false;
  #hasProtocols = false;

  /** `TLSv1.3`; '' where it is none that is known. */
  get protocol(): string {
    return VERSIONS.get(this.#version) ?? '';
  }

  /** Reads all that has come, from the first byte. */
  read(bytes: Buffer): number {
    const pieces: Buffer[] = [];
    let at = 0;
    while (bytes.length - at >= RECORD_HEAD) {
      const [first = 0, major = 0, type = 0, third = 0, fourth = 0] = bytes.subarray(at, at + RECORD_HEAD);
      const old = (first & 0x80) !== 0 && type === CLIENT_HELLO && (third === 0 || third === MAJOR_VERSION);
      if (old || first !== HANDSHAKE || major !== MAJOR_VERSION) {
        const before = this.#readMessage(pieces);
        if (before !== HELLO_SHORT) return before;
        if (!old) return NO_HELLO;
        this.#version = (third << 8) | fourth;
        return HELLO_READ;
      }
      const end = at + RECORD_HEAD + ((third << 8) | fourth);
      if (end > bytes.length) break;
      pieces.push(bytes.subarray(at + RECORD_HEAD, end));
      at = end;
    }
    return this.#readMessage(pieces);
  }

  /** Reads what records hold. */
  #readMessage(pieces: readonly Buffer[]): number {
    const [first] = pieces;
    if (!first) return HELLO_SHORT;
    const cursor = new Cursor(pieces.length === 1 ? first : Buffer.concat(pieces));
    this.name = '';
    this.protocols = '';
    this.#hasName = false;
    this.#hasProtocols = false;
    const type = cursor.number(1);
    const length = cursor.number(3);
    if (cursor.good && type !== CLIENT_HELLO) cursor.refuse();
    cursor.left = length;
    const version = cursor.number(2);
    if (cursor.good) this.#version = version;
    cursor.skip(RANDOM);
    cursor.skip(cursor.number(1));
    cursor.skip(cursor.number(2));
    cursor.skip(cursor.number(1));
    if (cursor.good && cursor.left > 0) cursor.skip(2);
    while (cursor.good && cursor.left > 0) this.#readExtension(cursor);
    return cursor.verdict;
  }

  #readExtension(cursor: Cursor): void {
    const type = cursor.number(2);
    const length = cursor.number(2);
    if (!cursor.good) return;
    if (type === SERVER_NAME && !this.#hasName) this.#readName(cursor);
    else if (type === ALPN && !this.#hasProtocols) this.#readProtocols(cursor);
    else if (type === SUPPORTED_VERSIONS) this.#readVersions(cursor);
    else cursor.skip(length);
  }

  /** RFC 6066 section 3. */
  #readName(cursor: Cursor): void {
    const list = cursor.number(2);
    const type = cursor.number(1);
    const length = cursor.number(2);
    if (!cursor.good) return;
    if (type !== HOST_NAME || list < 3 + length) {
      cursor.refuse();
      return;
    }
    this.#hasName = true;
    this.name = cursor.text(length);
    cursor.skip(list - 3 - length);
  }

  /** RFC 7301 section 3.1. */
  #readProtocols(cursor: Cursor): void {
    let list = cursor.number(2);
    if (!cursor.good) return;
    this.#hasProtocols = true;
    do {
      const length = cursor.number(1);
      if (!cursor.good) return;
      if (length === 0 || list < 1 + length) {
        cursor.refuse();
        return;
      }
      list -= 1 + length;
      const protocol = cursor.text(length);
      if (cursor.good) this.protocols += list > 0 ? `${protocol},` : protocol;
    } while (cursor.good && list > 0);
  }

  /** Who has that speaks TLS 1.3 (RFC 8446 section 4.2.1). */
  #readVersions(cursor: Cursor): void {
    const length = cursor.number(1);
    if (!cursor.good) return;
    this.#version = (MAJOR_VERSION << 8) | TLS1_3;
    cursor.skip(length);
  }
}
