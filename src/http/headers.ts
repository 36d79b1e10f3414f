/** Header lines of a request or reply: in order, with duplicates, names as they were written. */

/** A header name that has been seen before: checked and lower-cased once, compared by identity. */
export interface HeaderName {
  /** As written. */
  readonly text: string;
  readonly lower: string;
  /** Which well-known header of `KNOWN` it is; 0 for none. */
  readonly known: number;
  /**
   * 0: valid; 1: valid only with underscores_in_headers; -1: not valid (nginx's ignore_invalid_headers);
   * -2: no header line at all (empty, or with a space or control character).
   */
  readonly validity: -2 | -1 | 0 | 1;
}

/** The request's head beyond its first line. Once complete it does not change, and may serve several requests. */
export class HeadersIn {
  readonly names: HeaderName[] = [];
  readonly values: string[] = [];
  /** The head as it came, and where each line stands in it; -1 for a line not written `Name: value` CR LF. */
  text = '';
  readonly starts: number[] = [];
  /** Host as the request line or the Host header gives it, without port, lower case, validated; '' when absent. */
  host = '';
  /** The port given with the host; 0 when none is. */
  port = 0;
  /** Where the Host line stands in `names`; -1 when there is none. */
  hostIndex = -1;
  /** Transfer-Encoding as it came. */
  transferEncoding: string | undefined = undefined;
  /** -1 when not given. */
  contentLength = -1;
  chunked = false;
  /** What the Connection header says: neither, close or keep-alive. */
  connectionClose = false;
  connectionKeepAlive = false;
  /** Expect: 100-continue. */
  expectContinue = false;
  /** A line was not valid and has been left out. */
  incomplete = false;

  /** The first value of the header with that lower-case name. */
  get(lower: string): string | undefined {
    const names = this.names;
    for (let i = 0; i < names.length; i++) {
      if (names[i]?.lower === lower) return this.values[i];
    }
    return undefined;
  }

  /** All values of that header, joined as nginx joins them (`, `; Cookie with `; `). */
  joined(lower: string): string | undefined {
    let text: string | undefined;
    const names = this.names;
    for (let i = 0; i < names.length; i++) {
      if (names[i]?.lower !== lower) continue;
      const value = this.values[i] ?? '';
      text = text === undefined ? value : text + (lower === 'cookie' ? '; ' : ', ') + value;
    }
    return text;
  }
}

/** The reply's head, as handlers and filters make it; the protocol's writer turns it into bytes. */
export class HeadersOut {
  status = 0;
  /** The reason phrase with the status, when an upstream gave its own: `404 Nope`. */
  statusLine = '';
  contentType = '';
  /** Sent behind the type, unless the type says it itself. */
  charset = '';
  /** Where in `contentType` an upstream's own `; charset=` begins, which `charset` repeats; -1: there is none. */
  typeLength = -1;
  /** What X-Accel-Charset asked for. */
  wantedCharset = '';
  /** Bytes; -1 when not known before the end. */
  contentLength = -1;
  /** Where the body begins within what it is a part of (a slice). */
  contentOffset = 0;
  /** Seconds since the epoch; -1 when not known. */
  lastModified = -1;
  etag = '';
  location = '';
  contentEncoding = '';
  /** Set by handlers that can answer ranges. */
  acceptRanges = false;
  /** The body can be asked for one range only: it comes as a stream. */
  singleRange = false;
  /** Whether it is compressed depends on Accept-Encoding: `Vary` is sent where `gzip_vary` says so. */
  gzipVary = false;
  /** Given by an upstream whose own is passed on (`proxy_pass_header Server`); '' for ours. */
  server = '';
  date = '';
  /** An upstream whose own lines are passed on sent none: none is sent. */
  withoutServer = false;
  withoutDate = false;
  /** All other lines: name, value, name, value ... */
  readonly lines: string[] = [];
  /** Trailer lines, in the same form. */
  trailers: string[] | undefined = undefined;

  /** Sets the Location of a redirect; an empty one is sent too. */
  redirectTo(address: string): void {
    this.location = address;
    if (address === '') this.add('Location', '');
  }

  /** The type as it is sent, with the charset. */
  get sentType(): string {
    const { contentType, charset } = this;
    return charset === '' || this.typeLength >= 0 ? contentType : `${contentType}; charset=${charset}`;
  }

  add(name: string, value: string): void {
    this.lines.push(name, value);
  }

  /** The first value of a line in `lines`, by lower-case name. */
  line(lower: string): string | undefined {
    const lines = this.lines;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i]?.toLowerCase() === lower) return lines[i + 1];
    }
    return undefined;
  }

  /** Puts a line in the place of the first one of that lower-case name, without the others; or behind all lines. */
  replace(lower: string, name: string, value: string): void {
    const lines = this.lines;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i]?.toLowerCase() !== lower) continue;
      const rest = lines.splice(i + 2);
      lines[i] = name;
      lines[i + 1] = value;
      for (let j = 0; j < rest.length; j += 2) {
        if (rest[j]?.toLowerCase() !== lower) lines.push(rest[j] ?? '', rest[j + 1] ?? '');
      }
      return;
    }
    lines.push(name, value);
  }

  /** The values of all lines of that lower-case name, joined by commas. */
  joined(lower: string): string | undefined {
    let text: string | undefined;
    const lines = this.lines;
    for (let i = 0; i < lines.length; i += 2) {
      if (lines[i]?.toLowerCase() !== lower) continue;
      const value = lines[i + 1] ?? '';
      text = text === undefined ? value : `${text}, ${value}`;
    }
    return text;
  }

  /** Removes every line of that lower-case name. */
  remove(lower: string): void {
    const lines = this.lines;
    let kept = 0;
    for (let i = 0; i < lines.length; i += 2) {
      const name = lines[i] ?? '';
      if (name.toLowerCase() === lower) continue;
      lines[kept] = name;
      lines[kept + 1] = lines[i + 1] ?? '';
      kept += 2;
    }
    lines.length = kept;
  }

  /** Everything that describes a body or an earlier answer is forgotten: before an error page. */
  clear(): void {
    this.statusLine = '';
    this.contentType = '';
    this.charset = '';
    this.typeLength = -1;
    this.wantedCharset = '';
    this.contentLength = -1;
    this.lastModified = -1;
    this.etag = '';
    this.contentEncoding = '';
    this.acceptRanges = false;
    this.singleRange = false;
    this.gzipVary = false;
    this.withoutServer = false;
    this.withoutDate = false;
  }
}
