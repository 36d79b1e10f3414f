/** `debug_connection`: the clients whose connections are logged at level debug. */
import { BlockList, isIP } from 'node:net';

/** Addresses and networks; and, as `unix:`, every unix socket. */
export class DebugConnections {
  readonly #networks = new BlockList();
  #unix = false;
  #empty = true;

  /** Without any there is nothing to ask at an accept. */
  get empty(): boolean {
    return this.#empty;
  }

  /** Adds an address, a network (`10.0.0.0/8`) or `unix:`; false when it is none of them. */
  add(text: string): boolean {
    if (text === 'unix:') {
      this.#unix = true;
      this.#empty = false;
      return true;
    }
    const [address = '', bits, more] = text.split('/');
    const version = isIP(address);
    if (version === 0 || more !== undefined) return false;
    const most = version === 4 ? 32 : 128;
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : most + 1;
    if (length > most) return false;
    this.#networks.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6');
    this.#empty = false;
    return true;
  }

  /** Whether a client is one of them; undefined is the far side of a unix socket. */
  has(address: string | undefined): boolean {
    if (address === undefined) return this.#unix;
    const version = isIP(address);
    return version !== 0 && this.#networks.check(address, version === 4 ? 'ipv4' : 'ipv6');
  }
}
