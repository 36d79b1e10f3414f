/** What may come on a connection before HTTP: a PROXY protocol header, and the first bytes of a TLS handshake. */
import { beginsTls, serverName } from '../../net/client-hello.ts';
import { latin1 } from '../../net/latin1.ts';
import { validateHost } from '../host.ts';
import type { ProxyProtocol } from '../request.ts';
import { INCOMPLETE, INVALID, parseProxyHeader, whyInvalid } from './proxy-header.ts';

/** What reading came to. */
export const WAITING = 0;
/** No PROXY header where one must be; `reason` says why. */
export const BROKEN = 1;
/** HTTP begins with `rest`. */
export const PLAIN = 2;
/** A handshake begins with `rest`; `host` is whom it asks for, '' when it does not say. */
export const HANDSHAKE = 3;

export class Greeting {
  proxyProtocol: ProxyProtocol | undefined = undefined;
  rest: Buffer = Buffer.alloc(0);
  host = '';
  reason = '';
  #text = '';
  #held: Buffer | undefined = undefined;
  #headerRead: boolean;

  constructor(
    proxyProtocol: boolean,
    readonly secure: boolean,
  ) {
    this.#headerRead = !proxyProtocol;
  }

  /** A TLS hello is awaited, which is not an idle wait for HTTP. */
  get inHandshake(): boolean {
    return this.#headerRead && this.secure;
  }

  /** Part of a hello has come. */
  get begun(): boolean {
    return this.#held !== undefined;
  }

  read(bytes: Buffer, length: number): number {
    if (this.#headerRead) return this.#readHello(bytes.subarray(0, length));
    const text = this.#text + latin1(bytes, 0, length);
    const found = parseProxyHeader(text);
    if (found === INCOMPLETE) {
      this.#text = text;
      return WAITING;
    }
    if (found === INVALID) {
      this.reason = whyInvalid(text);
      return BROKEN;
    }
    this.proxyProtocol = found.addresses;
    this.#headerRead = true;
    this.#text = '';
    const rest = Buffer.from(text.slice(found.length), 'latin1');
    if (!this.secure) {
      this.rest = rest;
      return PLAIN;
    }
    return rest.length > 0 ? this.#readHello(rest) : WAITING;
  }

  #readHello(bytes: Buffer): number {
    const hello = this.#held ? Buffer.concat([this.#held, bytes]) : bytes;
    this.#held = undefined;
    if (!this.secure || !beginsTls(hello[0] ?? 0)) {
      this.rest = hello;
      return PLAIN;
    }
    const name = serverName(hello);
    if (name === undefined) {
      this.#held = Buffer.from(hello);
      return WAITING;
    }
    this.host = name === '' ? '' : (validateHost(name)?.host ?? '');
    this.rest = Buffer.from(hello);
    return HANDSHAKE;
  }
}
