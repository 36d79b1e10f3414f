/** `ssl_stapling`: the response of an OCSP responder about one of our own certificates, sent along in handshakes. */
import { ERROR } from '../log/levels.ts';
import { type OcspLog, type OcspLookup, OcspRequest, type Responder } from './ocsp-client.ts';
import { GOOD, OcspError, type Question, readResponse, requestOf, statusText } from './ocsp-message.ts';

/** Seconds before a response ends that it is asked for anew; and the least and most between two requests. */
const LEAST_REFRESH = 300;
const MOST_REFRESH = 3600;

const seconds = (): number => Math.floor(Date.now() / 1000);

/** What a response is checked with; see `readResponse`. */
export interface StapleTrust {
  readonly chain: () => number;
  readonly store: number;
  readonly flags: number;
}

export class Staple {
  #response: Buffer | undefined;
  #valid: number;
  #refresh = 0;
  #loading = false;
  lookup: OcspLookup = { resolver: undefined, timeout: 0 };
  log: OcspLog = () => {};

  /** With `file`, the bytes of `ssl_stapling_file`, nobody is asked. */
  constructor(
    readonly name: string,
    readonly question: Question | undefined,
    readonly responder: Responder | undefined,
    readonly trust: StapleTrust,
    file: Buffer | undefined,
  ) {
    this.#response = file;
    this.#valid = file ? Number.POSITIVE_INFINITY : 0;
  }

  /** The response to send, if there is a good one; asks for a new one in time. */
  current(): Buffer | undefined {
    const now = seconds();
    if (this.responder && this.question && !this.#loading && this.#refresh < now)
      this.#ask(this.question, this.responder);
    return this.#valid >= now ? this.#response : undefined;
  }

  #ask(question: Question, responder: Responder): void {
    this.#loading = true;
    const log: OcspLog = (level, message) => this.log(level, `${message}, certificate: "${this.name}"`);
    try {
      const request = requestOf(question);
      new OcspRequest(responder, request, this.lookup, log, (response) =>
        this.#take(question, response),
      ).start();
    } catch (error) {
      this.#failed(error);
    }
  }

  #take(question: Question, response: Buffer | undefined): void {
    if (!response) {
      this.#failed(undefined);
      return;
    }
    try {
      const { chain, store, flags } = this.trust;
      const { status, valid } = readResponse(response, question, chain(), store, flags);
      if (status !== GOOD)
        throw new OcspError(`certificate status "${statusText(status)}" in the OCSP response`);
      const now = seconds();
      this.#response = response;
      this.#valid = valid;
      this.#loading = false;
      this.#refresh = Math.max(Math.min(valid - LEAST_REFRESH, now + MOST_REFRESH), now + LEAST_REFRESH);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#loading = false;
    this.#refresh = seconds() + LEAST_REFRESH;
    if (error === undefined) return;
    if (!(error instanceof OcspError)) throw error;
    const about = `responder: ${this.responder?.host}, certificate: "${this.name}"`;
    this.log(ERROR, `${error.message} while requesting certificate status, ${about}`);
  }
}
