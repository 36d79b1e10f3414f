/** Which protocols several servers ask for at one address: where they disagree nginx warns, by rules of its own. */
/** What a `listen` says about it. */
interface Listen {
  readonly set: boolean;
  readonly ssl: boolean;
  readonly http2?: boolean;
  readonly proxyProtocol: boolean;
}

const bitsOf = ({ proxyProtocol, ssl, http2 }: Listen): number =>
  (proxyProtocol ? 1 : 0) | (ssl ? 2 : 0) | (http2 ? 4 : 0);

export class ListenProtocols {
  /** What the servers so far have agreed on; undefined while only one has spoken. */
  #agreed: number | undefined = undefined;
  #changed = false;

  /** Another `listen` at the address, where `before` is what all so far come to. True: that is worth a warning. */
  redefines(before: Listen, listen: Listen): boolean {
    const earlier = bitsOf(before);
    const own = bitsOf(listen);
    const agreed = this.#agreed;
    const all = earlier | own;
    let odd: boolean;
    if (all !== earlier) {
      odd = (before.set && !listen.set) || this.#changed || all !== own;
      this.#agreed = earlier;
      this.#changed = true;
    } else if (all !== own) {
      odd = listen.set || (agreed !== undefined && own !== agreed);
      this.#agreed = own;
      this.#changed = true;
    } else {
      odd = (listen.set && this.#changed) || (agreed !== undefined && own !== agreed);
      this.#agreed = own;
    }
    return odd;
  }
}
