/** A request at the edge of what is allowed, and what the proxy must make of it: nginx 1.31.5's verdict. */

/** One request. */
export interface EdgeCase {
  readonly name: string;
  /** Exact bytes; the location /p passes to a backend, all others answer by themselves. */
  readonly bytes: string;
  /** 200 means accepted. */
  readonly status: number;
  /** What the error log says, in part. */
  readonly logged: string;
}

/** Builds one. */
export const edge = (name: string, bytes: string, status: number, logged = ''): EdgeCase => ({
  name,
  bytes,
  status,
  logged,
});
