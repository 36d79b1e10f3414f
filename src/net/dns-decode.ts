/**
 * Replies of name servers, from bytes that anybody may have sent. Everything that is not as RFC 1035 has it ends in a
 * `Malformed` whose message is nginx's; nothing is read beyond the bytes, and a loop of pointers ends.
 */
import { HEADER_BYTES, QUESTION_BYTES, RECORD } from './dns-encode.ts';

/** What came is no reply that can be used. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
}

/** The head of a reply, and what was asked. */
export interface DnsReply {
  readonly id: number;
  /** RCODE: 0 for success, 3 for no such name. */
  readonly code: number;
  readonly truncated: boolean;
  /** In lower case, without a dot at its end; '' where the reply repeats no question, as some errors do. */
  readonly name: string;
  /** The type asked for; 0 without a question. */
  readonly type: number;
  readonly count: number;
  /** Where the answers begin. */
  readonly answersAt: number;
}

/** One record of a reply. */
export interface DnsAnswer {
  readonly type: number;
  /** Seconds. */
  readonly ttl: number;
  /** The address of A and AAAA, in text; the name that CNAME and SRV lead to. */
  readonly value: string;
  /** Of SRV; else 0. */
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
}

const TRUNCATED = 0x0200;
/** A reply to a standard query, with nothing set that must not be. */
const REPLY_MASK = 0xf870;
const REPLY = 0x8000;
const FORMAT_ERROR = 1;
const REFUSED = 5;
const INTERNET = 1;
/** Type, class, ttl and length behind the name of a record. */
const RECORD_BYTES = 10;
/** A name of 255 bytes can't need more pieces. */
const MOST_PIECES = 128;
const SHORT = 'short DNS response';

/** The head and the question. Throws `Malformed`. `tcp`: there a reply must be complete. */
export const decodeReply = (bytes: Buffer, tcp: boolean): DnsReply => {
  if (bytes.length < HEADER_BYTES) throw new Malformed(SHORT);
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  const truncated = (flags & TRUNCATED) !== 0;
  if ((flags & REPLY_MASK) !== REPLY || (truncated && tcp)) {
    const digits = flags.toString(16).toUpperCase().padStart(4, '0');
    throw new Malformed(`invalid ${tcp ? 'TCP' : 'UDP'} DNS response ${id} fl:${digits}`);
  }
  const code = flags & 0xf;
  const count = bytes.readUInt16BE(6);
  if (code === FORMAT_ERROR || code > REFUSED) {
    return { id, code, truncated, name: '', type: 0, count: 0, answersAt: bytes.length };
  }
  if (bytes.readUInt16BE(4) !== 1) throw new Malformed('invalid number of questions in DNS response');
  let at = HEADER_BYTES;
  for (let length = byteAt(bytes, at); length !== 0; length = byteAt(bytes, at)) {
    if ((length & 0xc0) !== 0) throw new Malformed('unexpected compression pointer in DNS response');
    at += 1 + length;
  }
  if (at === HEADER_BYTES) throw new Malformed('zero-length domain name in DNS response');
  at++;
  if (at + QUESTION_BYTES + count * (2 + RECORD_BYTES) > bytes.length) throw new Malformed(SHORT);
  const type = bytes.readUInt16BE(at);
  const of = bytes.readUInt16BE(at + 2);
  if (of !== INTERNET) throw new Malformed(`unknown query class ${of} in DNS response`);
  const name = nameAt(bytes, HEADER_BYTES);
  return { id, code, truncated, name, type, count, answersAt: at + QUESTION_BYTES };
};

/** The records of a reply, those of types that nobody asked for with an empty value. Throws `Malformed`. */
export const decodeAnswers = (bytes: Buffer, reply: DnsReply): readonly DnsAnswer[] => {
  const answers: DnsAnswer[] = [];
  let at = reply.answersAt;
  for (let i = 0; i < reply.count; i++) {
    at = behindName(bytes, at);
    if (at + RECORD_BYTES >= bytes.length) throw new Malformed(SHORT);
    const type = bytes.readUInt16BE(at);
    const of = bytes.readUInt16BE(at + 2);
    if (of !== INTERNET) throw new Malformed(`unexpected RR class ${of} in DNS response`);
    const ttl = Math.max(0, bytes.readInt32BE(at + 4));
    const length = bytes.readUInt16BE(at + 8);
    at += RECORD_BYTES;
    answers.push(answerOf(bytes, at, length, reply.type, type, ttl));
    at += length;
  }
  return answers;
};

const answerOf = (
  bytes: Buffer,
  at: number,
  length: number,
  asked: number,
  type: number,
  ttl: number,
): DnsAnswer => {
  const plain = (value: string): DnsAnswer => ({ type, ttl, value, priority: 0, weight: 0, port: 0 });
  switch (type) {
    case RECORD.A:
    case RECORD.AAAA: {
      const title = type === RECORD.A ? 'A' : 'AAAA';
      const wanted = type === RECORD.A ? 4 : 16;
      if (asked === RECORD.SRV) return plain('');
      if (type !== asked) throw new Malformed(`unexpected ${title} record in DNS response`);
      if (length !== wanted) throw new Malformed(`invalid ${title} record in DNS response`);
      if (at + length > bytes.length) throw new Malformed(SHORT);
      const part = bytes.subarray(at, at + length);
      return plain(type === RECORD.A ? part.join('.') : v6Text(part));
    }
    case RECORD.CNAME:
      return plain(nameAt(bytes, at));
    case RECORD.SRV:
      if (asked !== RECORD.SRV) return plain('');
      if (at + 6 >= bytes.length) throw new Malformed(SHORT);
      return {
        type,
        ttl,
        value: nameAt(bytes, at + 6),
        priority: bytes.readUInt16BE(at),
        weight: bytes.readUInt16BE(at + 2),
        port: bytes.readUInt16BE(at + 4),
      };
    default:
      return plain('');
  }
};

const byteAt = (bytes: Buffer, at: number): number => {
  const byte = bytes[at];
  if (byte === undefined) throw new Malformed(SHORT);
  return byte;
};

/** Where a record goes on behind its name. */
const behindName = (bytes: Buffer, start: number): number => {
  let at = start;
  for (;;) {
    const length = byteAt(bytes, at);
    if ((length & 0xc0) !== 0) return at + 2;
    at += 1 + length;
    if (length === 0) break;
  }
  if (at - start < 2) throw new Malformed('invalid name in DNS response');
  return at;
};

/** The name at `start`, its pointers followed, in lower case. */
const nameAt = (bytes: Buffer, start: number): string => {
  const labels: string[] = [];
  let at = start;
  for (let i = 0; i < MOST_PIECES; i++) {
    const length = bytes[at];
    if (length === undefined) throw new Malformed('name is out of DNS response');
    if (length === 0) return labels.join('.').toLowerCase();
    if ((length & 0xc0) === 0) {
      const label = bytes.subarray(at + 1, at + 1 + length);
      // A name may get into a log line.
      if (label.some((byte) => byte < 0x20 || byte === 0x7f))
        throw new Malformed('invalid name in DNS response');
      labels.push(label.latin1Slice());
      at += 1 + length;
      continue;
    }
    if ((length & 0xc0) !== 0xc0) throw new Malformed('invalid label type in DNS response');
    const low = bytes[at + 1];
    if (low === undefined) throw new Malformed('name is out of DNS response');
    at = ((length & 0x3f) << 8) + low;
  }
  throw new Malformed('compression pointers loop in DNS response');
};

/** `2001:db8::1`: the longest run of zero words left out, an embedded IPv4 address in its own form. */
const v6Text = (bytes: Buffer): string => {
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i));
  let [best, longest] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && words[end] === 0) end++;
    if (end - i > longest) [best, longest] = [i, end - i];
  }
  const mapped = best === 0 && (longest === 6 || (longest === 5 && words[5] === 0xffff));
  const texts = words.slice(0, mapped ? 6 : 8).map((word) => word.toString(16));
  if (mapped) texts.push(bytes.subarray(12).join('.'));
  if (best < 0) return texts.join(':');
  return `${texts.slice(0, best).join(':')}::${texts.slice(best + longest).join(':')}`;
};
