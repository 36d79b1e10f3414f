/** Reading of HTTP/1 messages for tests: plain and independent of the program's own parser. */

/** One request or reply; texts are latin1. */
export interface Message {
  /** The first line. */
  readonly line: string;
  /** Of a reply; 0 for a request. */
  readonly status: number;
  /** Header lines as they came, without the first line. */
  readonly lines: readonly string[];
  /** The last value by lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  /** First line and header lines, through the empty line. */
  readonly head: string;
  readonly body: string;
  /** Trailer lines behind a chunked body. */
  readonly trailer?: string;
}

/** Splits a head that ends in its empty line. */
export function parseHead(head: string): Message {
  const [line = '', ...lines] = head.slice(0, -4).split('\r\n');
  const headers = new Map<string, string>();
  for (const each of lines) {
    const colon = each.indexOf(':');
    headers.set(each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim());
  }
  const status = line.startsWith('HTTP/') ? Number(line.split(' ')[1]) : 0;
  return { line, status, lines, headers, head, body: '' };
}

/** How long the body behind a head is. */
export function bodyLength(message: Message, method: string): number | 'chunked' | 'close' {
  const { status, headers } = message;
  if (status !== 0 && (method === 'HEAD' || status < 200 || status === 204 || status === 304)) {
    return 0;
  }
  if (/chunked$/i.test(headers.get('transfer-encoding') ?? '')) {
    return 'chunked';
  }
  const length = headers.get('content-length');
  if (length !== undefined) {
    return Number(length);
  }
  return status === 0 ? 0 : 'close';
}

/** A whole chunked body at the start of `bytes`, or undefined when more must come. Throws on a bad size line. */
export function decodeChunked(bytes: Buffer): { body: string; trailer: string; length: number } | undefined {
  let at = 0;
  let body = '';
  for (;;) {
    const eol = bytes.indexOf('\r\n', at, 'latin1');
    if (eol < 0) {
      return undefined;
    }
    const sizeLine = bytes.toString('latin1', at, eol);
    if (!/^[0-9a-f]+(;.*)?$/i.test(sizeLine)) {
      throw new Error(`bad chunk size line ${JSON.stringify(sizeLine)}`);
    }
    const size = Number.parseInt(sizeLine, 16);
    at = eol + 2;
    if (size === 0) {
      const rest = bytes.subarray(at).toString('latin1');
      if (rest.startsWith('\r\n')) {
        return { body, trailer: '', length: at + 2 };
      }
      const end = rest.indexOf('\r\n\r\n');
      return end < 0 ? undefined : { body, trailer: rest.slice(0, end), length: at + end + 4 };
    }
    if (bytes.length < at + size + 2) {
      return undefined;
    }
    body += bytes.toString('latin1', at, at + size);
    at += size + 2;
  }
}
