/** Choosing the server by the host: exact names, then `*.x`, then `x.*`, then regular expressions. */
import type { Regex } from './regex.ts';
import type { Subject } from './variables.ts';

/** A name of a server, lower case; with a regex the name is its pattern. */
export interface ServerName<R extends Subject> {
  readonly text: string;
  readonly regex: Regex<R> | undefined;
}

/** Whether a name that is no pattern can be told apart: without `..`, and with `*` at one end at most. */
export const isServerName = (text: string): boolean =>
  !text.includes('..') && !/[*\0]/.test(text.replace(/^\*\.(?=[^*]*$)|\.\*$/, ''));

export class ServerNames<Server, R extends Subject> {
  readonly #exact = new Map<string, Server>();
  /** `.example.com` for `*.example.com`. */
  readonly #heads = new Map<string, Server>();
  /** `www.example.` for `www.example.*`. */
  readonly #tails = new Map<string, Server>();
  readonly #regexes: (readonly [Regex<R>, Server])[] = [];

  constructor(
    readonly fallback: Server,
    names: Iterable<readonly [ServerName<R>, Server]>,
    conflict: (name: string) => void,
  ) {
    const put = (map: Map<string, Server>, key: string, server: Server, written: string): void => {
      if (map.has(key)) conflict(written);
      else map.set(key, server);
    };
    for (const [{ text, regex }, server] of names) {
      if (regex) this.#regexes.push([regex, server]);
      else if (text.startsWith('*.')) put(this.#heads, text.slice(1), server, text);
      else if (text.endsWith('.*')) put(this.#tails, text.slice(0, -1), server, text);
      else if (text.startsWith('.')) {
        if (this.#exact.has(text.slice(1)) || this.#heads.has(text)) conflict(text);
        else {
          this.#exact.set(text.slice(1), server);
          this.#heads.set(text, server);
        }
      } else put(this.#exact, text, server, text);
    }
  }

  /** Some names are regular expressions. */
  get patterns(): boolean {
    return this.#regexes.length > 0;
  }

  /** Only one server answers, whatever the host. */
  get single(): boolean {
    return (
      this.#exact.size === 0 && this.#heads.size === 0 && this.#tails.size === 0 && this.#regexes.length === 0
    );
  }

  /** The server for a host; captures of a regular expression are kept on the request. */
  find(host: string, request: R): Server {
    const named = this.#named(host);
    if (named) return named;
    if (host === '') return this.fallback;
    for (const [regex, server] of this.#regexes) {
      if (regex.match(request, host)) return server;
    }
    return this.fallback;
  }

  /** The server that a host names, its captures kept; undefined when none does. */
  findNamed(host: string, request: R): Server | undefined {
    return this.#named(host) ?? this.#regexes.find(([regex]) => regex.match(request, host))?.[1];
  }

  /** The server that a host names while there is no request yet (SNI); undefined when none does. */
  findForName(host: string): Server | undefined {
    return this.#named(host) ?? this.#regexes.find(([{ regexp }]) => regexp.test(host))?.[1];
  }

  /** By exact names and those with a wildcard. */
  #named(host: string): Server | undefined {
    const exact = this.#exact.get(host);
    if (exact || host === '') return exact;
    if (this.#heads.size > 0) {
      for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
        const server = dot > 0 ? this.#heads.get(host.slice(dot)) : undefined;
        if (server) return server;
      }
    }
    if (this.#tails.size > 0) {
      for (let dot = host.lastIndexOf('.'); dot > 0; dot = host.lastIndexOf('.', dot - 1)) {
        const server = this.#tails.get(host.slice(0, dot + 1));
        if (server) return server;
      }
    }
    return undefined;
  }
}
