/**
 * A kept reply on disk: numbers of a fixed length, which a revalidation writes anew in place, then the texts, then
 * the body.
 *
 *     magic | lengths: all before the body, key, tag, vary, head | times as doubles | variant | the texts | the body
 */
import { ReplyHead } from '../../upstream/reply-head.ts';

const MAGIC = 0x53_4c_43_31;
const LENGTHS_AT = 4;
const TIMES_AT = 24;
const VARIANT_AT = 64;
const VARIANT_BYTES = 16;
/** Bytes before the texts. */
export const FIXED_BYTES = VARIANT_AT + VARIANT_BYTES;

/** What is known of a kept reply. Times in seconds since the epoch. */
export interface KeptReply {
  key: string;
  /** Until when it is fresh, and for how many seconds beyond it may be used while it is updated, or after an error. */
  valid: number;
  updating: number;
  error: number;
  /** When it was fetched or revalidated. */
  date: number;
  /** -1: not known. */
  lastModified: number;
  tag: string;
  /** The Vary line that it came with, and what the request's headers came to by it. */
  vary: string;
  variant: Buffer;
  /** Status line and lines, as `headText` writes them. */
  head: string;
}

const NO_VARIANT = Buffer.alloc(VARIANT_BYTES);

/** A reply of which nothing is known. */
export const unknownReply = (key: string): KeptReply => ({
  key,
  valid: 0,
  updating: 0,
  error: 0,
  date: 0,
  lastModified: -1,
  tag: '',
  vary: '',
  variant: NO_VARIANT,
  head: '',
});

const writeTimes = (into: Buffer, reply: Readonly<KeptReply>): void => {
  const { valid, updating, error, date, lastModified } = reply;
  [valid, updating, error, date, lastModified].forEach((time, index) => {
    into.writeDoubleLE(time, TIMES_AT + 8 * index);
  });
};

/** All that stands before the body. */
export const encodeKept = (reply: Readonly<KeptReply>): Buffer => {
  const texts = [reply.key, reply.tag, reply.vary, reply.head];
  const bytes = Buffer.from(texts.join(''), 'latin1');
  const fixed = Buffer.alloc(FIXED_BYTES);
  fixed.writeUInt32LE(MAGIC, 0);
  [FIXED_BYTES + bytes.length, ...texts.map(({ length }) => length)].forEach((length, index) => {
    fixed.writeUInt32LE(length, LENGTHS_AT + 4 * index);
  });
  writeTimes(fixed, reply);
  reply.variant.copy(fixed, VARIANT_AT);
  return Buffer.concat([fixed, bytes]);
};

/** The times alone, and where they stand in the file. */
export const encodeTimes = (reply: Readonly<KeptReply>): { readonly bytes: Buffer; readonly at: number } => {
  const fixed = Buffer.alloc(VARIANT_AT);
  writeTimes(fixed, reply);
  return { bytes: fixed.subarray(TIMES_AT), at: TIMES_AT };
};

/** Where the body begins, from the first FIXED_BYTES of a file; undefined when it is no kept reply. */
export const bodyStart = (fixed: Buffer): number | undefined =>
  fixed.length >= FIXED_BYTES && fixed.readUInt32LE(0) === MAGIC ? fixed.readUInt32LE(LENGTHS_AT) : undefined;

/** A copy that keeps no larger memory alive, such as Node's pool. */
const ownBytes = (bytes: Buffer): Buffer => {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
};

/** Reads what stands before the body; undefined when it is cut short. */
export const decodeKept = (bytes: Buffer): KeptReply | undefined => {
  let at = FIXED_BYTES;
  const texts: string[] = [];
  for (let index = 1; index <= 4; index++) {
    const end = at + bytes.readUInt32LE(LENGTHS_AT + 4 * index);
    if (end > bytes.length) return undefined;
    texts.push(bytes.latin1Slice(at, end));
    at = end;
  }
  const time = (index: number): number => bytes.readDoubleLE(TIMES_AT + 8 * index);
  const [key = '', tag = '', vary = '', head = ''] = texts;
  return {
    key,
    valid: time(0),
    updating: time(1),
    error: time(2),
    date: time(3),
    lastModified: time(4),
    tag,
    vary,
    variant: vary === '' ? NO_VARIANT : ownBytes(bytes.subarray(VARIANT_AT, FIXED_BYTES)),
    head,
  };
};

/** A reply's head as text: what stood before the body, however the protocol wrote it. */
export const headText = ({ status, statusLine, names, values }: ReplyHead): string => {
  let text = `${status} ${statusLine}\n`;
  names.forEach((name, index) => {
    text += `${name.text}: ${values[index]}\n`;
  });
  return text;
};

/** The head of that text; undefined when it is none. */
export const parseHeadText = (text: string): ReplyHead | undefined => {
  const [first = '', ...lines] = text.split('\n');
  const match = /^(\d+) (.*)$/.exec(first);
  if (!match) return undefined;
  const head = new ReplyHead();
  head.status = Number(match[1]);
  head.statusLine = match[2] ?? '';
  for (const line of lines) {
    const colon = line.indexOf(': ');
    if (colon > 0) head.add(line.slice(0, colon), line.slice(colon + 2));
  }
  return head;
};
