/** FastCGI records for tests, written from the specification and independent of the program's own codec. */

/** Record types. */
export const BEGIN = 1;
export const ABORT = 2;
export const END = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

/** One record. */
export interface FcgiRecord {
  readonly type: number;
  readonly id: number;
  readonly content: Buffer;
}

/** Encodes one record of at most 65,535 bytes. */
export function record(type: number, content: string | Uint8Array = '', padding = 0, id = 1): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  const head = Buffer.alloc(8);
  head.writeUInt8(1, 0);
  head.writeUInt8(type, 1);
  head.writeUInt16BE(id, 2);
  head.writeUInt16BE(bytes.length, 4);
  head.writeUInt8(padding, 6);
  return Buffer.concat([head, bytes, Buffer.alloc(padding)]);
}

/** END_REQUEST with the program's exit status and the protocol status (0 = complete). */
export function endRequest(exit = 0, protocol = 0, id = 1): Buffer {
  const content = Buffer.alloc(8);
  content.writeUInt32BE(exit, 0);
  content.writeUInt8(protocol, 4);
  return record(END, content, 0, id);
}

/** STDOUT records for all of `text`, its empty end record, and END_REQUEST. */
export function answer(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1');
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += 65_535) {
    parts.push(record(STDOUT, bytes.subarray(at, at + 65_535)));
  }
  return Buffer.concat([...parts, record(STDOUT), endRequest()]);
}

/** The record at the start of `bytes` and how long it is, or undefined when more must come. */
export function firstRecord(bytes: Buffer): { record: FcgiRecord; length: number } | undefined {
  if (bytes.length < 8) {
    return undefined;
  }
  const size = bytes.readUInt16BE(4);
  const length = 8 + size + bytes.readUInt8(6);
  if (bytes.length < length) {
    return undefined;
  }
  const content = Buffer.from(bytes.subarray(8, 8 + size));
  return { record: { type: bytes.readUInt8(1), id: bytes.readUInt16BE(2), content }, length };
}

/** Decodes the name-value pairs of a PARAMS stream. */
export function decodeParams(bytes: Buffer): Map<string, string> {
  const params = new Map<string, string>();
  let at = 0;
  const size = (): number => {
    const short = bytes.readUInt8(at);
    if (short < 128) {
      at += 1;
      return short;
    }
    at += 4;
    return bytes.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < bytes.length) {
    const name = size();
    const value = size();
    params.set(
      bytes.toString('latin1', at, at + name),
      bytes.toString('latin1', at + name, at + name + value),
    );
    at += name + value;
  }
  return params;
}
