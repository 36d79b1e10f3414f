/** What may come on a connection before HTTP: a PROXY protocol header, and the first bytes of a TLS handshake. */
import { beginsTls, HelloReader, serverName } from '../../net/client-hello.ts';
import { latin1 } from '../../net/latin1.ts';
import { INCOMPLETE, INVALID, parseProxyHeader, whyInvalid } from '../../net/proxy-header.ts';
import { validateHost } from '../../values/host.ts';
import type { ProxyProtocol } from '../request.ts';

/** What reading came to. */
export const WAITING = 0;
/** No PROXY header where one must be; `reason` says why. */
export const BROKEN = 1;
/** HTTP begins with the rest. */
export const PLAIN = 2;
/** A handshake begins with the rest; `host` is whom it asks for, '' when it does not say. */
export const HANDSHAKE = 3;

const NO_BYTES = Buffer.alloc(0);

export class Greeting {
  proxyProtocol: ProxyProtocol | undefined = undefined;
  /** What is behind: the first `restLength` bytes of it, only there during the call. */
  rest: Buffer = NO_BYTES;
  restLength = 0;
  host = '';
  reason = '';
  #text = '';
  /** Made for a hello that has not come whole. */
  #hello: HelloReader | undefined = undefined;
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
    return this.#hello !== undefined;
  }

  /**
   * What is wrong with a PROXY header that ends here, by an error or not; '' where that is all there is to say. Before
   * TLS the end is looked for by the reader of the header, which misses it.
   */
  cutShort(byError: boolean): string {
    if (this.#headerRead || (this.#text === '' && (byError || !this.secure))) return '';
    return whyInvalid(this.#text);
  }

  read(bytes: Buffer, length: number): number {
    if (this.#headerRead) return this.#readHello(bytes, length);
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
    if (!this.secure) return this.#goOn(PLAIN, rest, rest.length);
    return rest.length > 0 ? this.#readHello(rest, rest.length) : WAITING;
  }

  #goOn(found: number, rest: Buffer, length: number): number {
    this.rest = rest;
    this.restLength = length;
    return found;
  }

  #readHello(bytes: Buffer, length: number): number {
    if (!this.#hello) {
      if (!this.secure || !beginsTls(bytes[0] ?? 0)) return this.#goOn(PLAIN, bytes, length);
      const name = serverName(bytes, length);
      if (name !== undefined) return this.#beginHandshake(name, bytes, length);
      this.#hello = new HelloReader();
    }
    const name = this.#hello.read(bytes, length);
    if (name === undefined) return WAITING;
    const { bytes: all } = this.#hello;
    return this.#beginHandshake(name, all, all.length);
  }

  #beginHandshake(name: string, hello: Buffer, length: number): number {
    this.host = name === '' ? '' : (validateHost(name)?.host ?? '');
    return this.#goOn(HANDSHAKE, hello, length);
  }
}
