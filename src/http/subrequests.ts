/** The subrequests of a main request: which are under way, whose output is due, and how they end with it. */
import { Chain } from '../net/chain.ts';
import { appendFilter } from './filter-chain.ts';
import { endRequest, finalize } from './finalize.ts';
import { type BodyFilter, type Data, FLUSH, LAST, NOWHERE, OWNED } from './output.ts';
import type { Request } from './request.ts';
import type { Substream } from './substream.ts';
import { type Outlet, Turn } from './turn.ts';
import { OK } from './verdict.ts';

/** Stands in the main request's chain, behind the filters and before compression, where subrequests join the body. */
class Junction implements BodyFilter, Outlet {
  next = NOWHERE;
  readonly root: Turn;
  active: Turn;
  #small: Data[] = [];
  #length = 0;

  constructor(readonly main: Request) {
    this.root = new Turn(main, this, undefined);
    this.active = this.root;
  }

  write(request: Request, bytes: Data, flags: number): void {
    this.root.write(request, bytes, flags);
  }

  /** Small pieces go on together, as `postpone_output` says. */
  deliver(bytes: Data, flags: number): void {
    const { main } = this;
    const most = main.location.core.postpone_output;
    if ((flags & (LAST | FLUSH)) === 0 && this.#length + bytes.length < most) {
      this.#length += bytes.length;
      this.#small.push((flags & OWNED) === 0 ? Buffer.from(bytes) : bytes);
      return;
    }
    if (this.#length === 0) {
      this.next.write(main, bytes, flags);
      return;
    }
    this.#small.push(bytes);
    const all = Buffer.concat(this.#small, this.#length + bytes.length);
    this.#small = [];
    this.#length = 0;
    this.next.write(main, all, flags | OWNED);
  }
}

export class Subrequests {
  readonly #live = new Chain<Substream>();
  #junction: Junction | undefined = undefined;
  /** The main request has nothing more to do, and waits for them. */
  #ending = false;

  constructor(readonly main: Request) {}

  get count(): number {
    return this.#live.size;
  }

  /** The main request's producer shall wait. */
  get congested(): boolean {
    return this.#junction?.root.full ?? false;
  }

  /** One that waits for an upstream; undefined when none does. */
  get exchanging(): Request | undefined {
    for (const { request } of this.#live) {
      if (request.upstream && request.producer && !request.finished) return request;
    }
    return undefined;
  }

  add(substream: Substream): void {
    this.#live.add(substream);
  }

  /** The turn of the main request; from now on its output and that of subrequests are put in order. */
  root(): Turn {
    if (!this.#junction) {
      this.#junction = new Junction(this.main);
      appendFilter(this.main, this.#junction);
    }
    return this.#junction.root;
  }

  /** Whose output the client waits for. */
  get active(): Request {
    return this.#junction?.active.request ?? this.main;
  }

  /** A subrequest has ended. */
  remove(substream: Substream): void {
    this.#live.delete(substream);
    if (this.#ending && this.#live.size === 0) finalize(this.main, OK);
  }

  /** The main request is done: true when it must wait for its subrequests all the same. */
  holdsEnd(): boolean {
    this.#ending = this.#live.size > 0;
    return this.#ending;
  }

  /** The client has closed its side: upstream exchanges are given up as those of the main request are. */
  clientGone(): void {
    for (const { request } of [...this.#live]) {
      if (request.upstream && !request.finished) request.producer?.abortOutput(request);
    }
  }

  /** The main request is cut off: so are all others. */
  abort(): void {
    for (const substream of [...this.#live]) {
      const { request } = substream;
      this.#live.delete(substream);
      const { producer } = request;
      request.producer = undefined;
      producer?.abortOutput(request);
      endRequest(request);
    }
  }
}
