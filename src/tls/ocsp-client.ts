/** Asks an OCSP responder over HTTP: one request a connection, one address after the other. */
import { isIP } from 'node:net';
import { ERROR } from '../log/levels.ts';
import { type Connection, type ConnectionHandler, connect } from '../net/connection.ts';
import { latin1 } from '../net/latin1.ts';
import { type Lookup, lookupError } from '../net/lookup.ts';
import type { Resolver } from '../net/resolver.ts';
import { errnoText } from '../platform/errno.ts';

/** Where a responder is. */
export interface Responder {
  readonly host: string;
  readonly port: number;
  /** With its slash. */
  readonly uri: string;
  /** The addresses that the host had when the configuration was read; none when nobody looked. */
  readonly addresses: readonly string[];
}

/** Takes lines for the error log. */
export type OcspLog = (level: number, message: string) => void;

/** How names are looked up. */
export interface OcspLookup {
  readonly resolver: Resolver | undefined;
  /** ms. */
  readonly timeout: number;
}

/** ms that a responder may take. */
const TIMEOUT = 60_000;
/** The largest response that is read. */
const LARGEST = 16384;
const SCHEME = 'http://';
const NO_PREFIX = 'invalid URL prefix';
const CONTENT_TYPE = 'application/ocsp-response';

/** `http://HOST[:PORT][/URI]`. Answers with a reason in nginx's words where it is wrong. */
export const parseResponder = (
  url: string,
  addresses: (host: string) => readonly string[],
): Responder | string => {
  if (!/^http:\/\/./i.test(url)) return NO_PREFIX;
  const [, host = '', port, uri = ''] = /^http:\/\/(\[[^\]]*\]|[^:/]*)(?::([^/]*))?(.*)$/is.exec(url) ?? [];
  const number = port === undefined ? 80 : Number(port);
  if (host === '') return 'no host';
  if (!Number.isInteger(number) || number < 1 || number > 65535 || port === '') return 'invalid port';
  const name = host.replace(/^\[|\]$/g, '');
  const known = isIP(name) > 0 ? [name] : addresses(name);
  return { host: name, port: number, uri: uri === '' ? '/' : uri, addresses: known };
};

/** What is wrong with a responder's address, in nginx's words: without the scheme, where that is not what is wrong. */
export const inResponder = (reason: string, url: string): string =>
  `${reason} in OCSP responder "${reason === NO_PREFIX ? url : url.slice(SCHEME.length)}"`;

/** One question to a responder. */
export class OcspRequest implements ConnectionHandler {
  #connection: Connection | undefined = undefined;
  #lookup: Lookup | undefined = undefined;
  #addresses: readonly string[];
  #next = 0;
  #text = '';
  #over = false;

  constructor(
    readonly responder: Responder,
    readonly request: Buffer,
    readonly lookup: OcspLookup,
    readonly log: OcspLog,
    /** Told once: the response, or undefined. */
    readonly done: (response: Buffer | undefined) => void,
  ) {
    this.#addresses = responder.addresses;
  }

  start(): void {
    const { host } = this.responder;
    const { resolver, timeout } = this.lookup;
    if (isIP(host) > 0) this.#connectNext();
    else if (resolver) this.#lookup = resolver.lookup(host, '', timeout, this);
    else if (this.#addresses.length === 0) {
      this.#say(`no resolver defined to resolve ${host}`);
      this.#finish(undefined);
    } else this.#connectNext();
  }

  /** Nobody waits for the response any more. */
  cancel(): void {
    this.#over = true;
    this.#lookup?.cancel();
    this.#connection?.destroy();
  }

  onResolved({ name, code, addresses }: Lookup): void {
    this.#lookup = undefined;
    if (code !== 0) {
      this.#say(`${name} could not be resolved (${code}: ${lookupError(code)})`);
      this.#finish(undefined);
      return;
    }
    this.#addresses = addresses.map(({ host }) => host);
    this.#connectNext();
  }

  #connectNext(): void {
    const address = this.#addresses[this.#next++];
    this.#text = '';
    if (address === undefined) {
      this.#finish(undefined);
      return;
    }
    this.#connection = connect({ host: address, port: this.responder.port }, this);
    this.#connection.timer.start(TIMEOUT);
  }

  onConnect(): void {
    const { host, uri } = this.responder;
    const target = `${uri}${uri.endsWith('/') ? '' : '/'}${encodeURIComponent(this.request.toString('base64'))}`;
    this.#connection?.writeText(`GET ${target} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
  }

  onRead(bytes: Buffer, length: number): void {
    this.#text += latin1(bytes, 0, length);
    if (this.#text.length > LARGEST) this.#tryNext('OCSP responder sent invalid response');
  }

  onEnd(): void {
    // Lines may end without a carriage return.
    const end = /\r?\n\r?\n/.exec(this.#text);
    const [status = '', ...lines] = this.#text.slice(0, end?.index ?? 0).split(/\r?\n/);
    if (!end) {
      this.#tryNext('OCSP responder prematurely closed connection');
      return;
    }
    const code = /^HTTP\/1\.[01] (\d{3})/.exec(status)?.[1];
    if (code === undefined) {
      this.#tryNext('OCSP responder sent invalid response');
      return;
    }
    const type = lines.map((line) => /^content-type:\s*(.*?)\s*$/i.exec(line)?.[1]).find((value) => value);
    if (type !== undefined && type.toLowerCase() !== CONTENT_TYPE) {
      this.#tryNext(`OCSP responder sent invalid "Content-Type" header: "${type}"`);
      return;
    }
    this.#finish(
      code === '200' ? Buffer.from(this.#text.slice(end.index + end[0].length), 'latin1') : undefined,
    );
  }

  onDrain(): void {}

  onClose(): void {
    if (this.#over) return;
    const errno = this.#connection?.error?.errno;
    this.#tryNext(
      errno === undefined
        ? 'OCSP responder prematurely closed connection'
        : `connect() failed (${errnoText(errno)})`,
    );
  }

  onTimeout(): void {
    this.#tryNext('OCSP responder timed out (110: Connection timed out)');
  }

  #tryNext(reason: string): void {
    this.#say(reason);
    this.#leave();
    this.#connectNext();
  }

  #leave(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (!connection) return;
    connection.handler = silent;
    connection.destroy();
  }

  #finish(response: Buffer | undefined): void {
    if (this.#over) return;
    this.#over = true;
    this.#leave();
    this.done(response);
  }

  #say(reason: string): void {
    const peer = this.#next > 0 ? `, peer: ${this.#addresses[this.#next - 1]}:${this.responder.port}` : '';
    this.log(
      ERROR,
      `${reason} while requesting certificate status, responder: ${this.responder.host}${peer}`,
    );
  }
}

/** For a connection that is let go. */
const silent: ConnectionHandler = {
  onRead() {},
  onEnd() {},
  onDrain() {},
  onClose() {},
  onConnect() {},
  onTimeout() {},
};
