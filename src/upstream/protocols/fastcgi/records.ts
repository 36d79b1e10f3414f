/**
 * FastCGI records: what a responder's client writes and reads (FastCGI Specification 1.0, sections 3 and 5).
 * Text stands for bytes here: one latin1 character is one byte. One request a connection at a time, so every
 * request has the id 1.
 */

export const BEGIN_REQUEST = 1;
export const ABORT_REQUEST = 2;
export const END_REQUEST = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

/** A record's content is at most 65,535 bytes; the largest that needs no padding. */
const FULL_RECORD = 65528;
/** Request bodies go in records of this many bytes, as nginx sends them. */
const STDIN_RECORD = 32768;

const NULS = '\0'.repeat(8);
const byte = String.fromCharCode;

/** How many bytes make `length` a multiple of 8. */
const paddingOf = (length: number): number => -length & 7;

/** A record's header. */
const recordHead = (type: number, length: number, padding: number): string =>
  byte(1, type, 0, 1, length >> 8, length & 0xff, padding, 0);

/** The record that ends the stream of that type. */
const streamEnd = (type: number): string => recordHead(type, 0, 0);

/** The end of a request's body. */
export const STDIN_END: string = streamEnd(STDIN);

/** BEGIN_REQUEST for a responder; `keep` asks it to leave the connection open. */
export const beginRequest = (keep: boolean): string =>
  recordHead(BEGIN_REQUEST, 8, 0) + byte(0, 1, keep ? 1 : 0) + NULS.slice(3);

/** The length of a name or value, as it stands before a pair: one byte up to 127, else four. */
export const pairLength = (length: number): string =>
  length < 128
    ? byte(length)
    : byte((length >>> 24) | 0x80, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);

/** A name-value pair of a PARAMS stream. */
export const pair = (name: string, value: string): string =>
  pairLength(name.length) + pairLength(value.length) + name + value;

const PARAMS_END = streamEnd(PARAMS);

/** The whole PARAMS stream: as many records as it takes, padded to 8, and its end. */
export const paramsStream = (pairs: string): string => {
  if (pairs.length > FULL_RECORD) {
    let text = '';
    let at = 0;
    for (; pairs.length - at > FULL_RECORD; at += FULL_RECORD) {
      text += recordHead(PARAMS, FULL_RECORD, 0) + pairs.slice(at, at + FULL_RECORD);
    }
    return text + paramsStream(pairs.slice(at));
  }
  if (pairs.length === 0) return PARAMS_END;
  const padding = paddingOf(pairs.length);
  return recordHead(PARAMS, pairs.length, padding) + pairs + NULS.slice(0, padding) + PARAMS_END;
};

/**
 * A piece of the request's body as STDIN records; behind the `last` piece stands the stream's end. `bytes` are
 * not copied. An empty piece that is not the last gives nothing.
 */
export const stdinRecords = (bytes: Uint8Array, last: boolean): (string | Uint8Array)[] => {
  const out: (string | Uint8Array)[] = [];
  // What follows one piece and what precedes the next are one string, so one write.
  let between = '';
  for (let at = 0; at < bytes.length; at += STDIN_RECORD) {
    const piece = bytes.length <= STDIN_RECORD ? bytes : bytes.subarray(at, at + STDIN_RECORD);
    const padding = paddingOf(piece.length);
    out.push(between + recordHead(STDIN, piece.length, padding), piece);
    between = NULS.slice(0, padding);
  }
  if (last) between += STDIN_END;
  if (between !== '') out.push(between);
  return out;
};

/**
 * Reads a stream of records that comes in pieces of any size. What a record holds is handed on at once, as
 * far as it is there: a record is never put together.
 */
export abstract class RecordReader {
  /** Nothing more is read; a callback may set it at any time. */
  protected stopped = false;
  /** Of the present record. */
  #type = 0;
  /** Content and padding bytes of the present record that are still to come. */
  #length = 0;
  #padding = 0;
  /** Bytes of the next record's header that are there; -1 inside a record. */
  #header = 0;
  /** Of END_REQUEST (FastCGI Specification, section 5.5). */
  #protocolStatus = 0;

  /** A piece of the reply; never empty. */
  protected abstract onStdout(bytes: Buffer, start: number, end: number): void;
  /** The empty STDOUT record. */
  protected abstract onStdoutEnd(): void;
  /** A piece of a message; never empty. */
  protected abstract onStderr(bytes: Buffer, start: number, end: number): void;
  /** The header of END_REQUEST has come. */
  protected abstract onEndRequest(): void;
  /** END_REQUEST is complete. `exact`: it was the last thing that has been read. */
  protected abstract onFinish(protocolStatus: number, exact: boolean): void;
  /** These are not the records of a reply; `reason` in nginx's words. */
  protected abstract onInvalid(reason: string): void;

  /** Begins anew, at the beginning of a record. */
  protected reset(): void {
    this.stopped = false;
    this.#type = 0;
    this.#length = 0;
    this.#padding = 0;
    this.#header = 0;
    this.#protocolStatus = 0;
  }

  /** Reads `bytes` from `start` to `end`. */
  protected read(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end && !this.stopped) {
      if (this.#header >= 0) {
        at = this.#readHeader(bytes, at, end);
        if (this.#header >= 0 || this.stopped) return;
      }
      if (this.#length > 0) {
        const stop = Math.min(at + this.#length, end);
        if (at === stop) return;
        this.#length -= stop - at;
        const from = at;
        at = stop;
        if (this.#type === STDOUT) this.onStdout(bytes, from, stop);
        else if (this.#type === STDERR) this.onStderr(bytes, from, stop);
        else this.#readEndRequest(bytes, from, stop);
        if (this.#length > 0 || this.stopped) return;
      }
      const padding = Math.min(this.#padding, end - at);
      at += padding;
      this.#padding -= padding;
      if (this.#padding > 0) return;
      this.#header = 0;
      if (this.#type === END_REQUEST) this.onFinish(this.#protocolStatus, at === end);
    }
  }

  /** Reads as much of a header as there is; gives the position behind it. */
  #readHeader(bytes: Buffer, start: number, end: number): number {
    let at = start;
    const type = bytes[at + 1] ?? 0;
    if (
      this.#header === 0 &&
      end - at >= 8 &&
      bytes[at] === 1 &&
      (type === STDOUT || type === STDERR || type === END_REQUEST) &&
      bytes[at + 2] === 0 &&
      bytes[at + 3] === 1
    ) {
      this.#type = type;
      this.#length = ((bytes[at + 4] ?? 0) << 8) | (bytes[at + 5] ?? 0);
      this.#padding = bytes[at + 6] ?? 0;
      at += 8;
    } else {
      while (this.#header < 8) {
        if (at === end) return at;
        const reason = this.#headerByte(bytes[at++] ?? 0);
        if (reason !== '') {
          this.stopped = true;
          this.onInvalid(reason);
          return at;
        }
      }
    }
    this.#header = -1;
    if (this.#type === END_REQUEST) this.onEndRequest();
    else if (this.#length === 0 && this.#type === STDOUT) this.onStdoutEnd();
    return at;
  }

  /** Takes one byte of a header; gives what is wrong with it, or ''. */
  #headerByte(value: number): string {
    switch (this.#header++) {
      case 0:
        return value === 1 ? '' : `upstream sent unsupported FastCGI protocol version: ${value}`;
      case 1:
        this.#type = value;
        if (value === STDOUT || value === STDERR || value === END_REQUEST) return '';
        return `upstream sent invalid FastCGI record type: ${value}`;
      case 2:
        return value === 0 ? '' : `upstream sent unexpected FastCGI request id high byte: ${value}`;
      case 3:
        return value === 1 ? '' : `upstream sent unexpected FastCGI request id low byte: ${value}`;
      case 4:
        this.#length = value << 8;
        return '';
      case 5:
        this.#length |= value;
        return '';
      case 6:
        this.#padding = value;
        return '';
      default:
        return '';
    }
  }

  /** `#length` counts down from 8: the protocol status is the fifth byte. */
  #readEndRequest(bytes: Buffer, start: number, end: number): void {
    const fifth = end + this.#length - 4;
    if (fifth >= start && fifth < end) this.#protocolStatus = bytes[fifth] ?? 0;
  }
}
