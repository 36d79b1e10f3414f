/** `ssl_ocsp`: the status of a client's certificates, asked of their responders once the handshake is done. */
import { ERROR } from '../log/levels.ts';
import type { TlsConnection } from './connection.ts';
import {
  inResponder,
  type OcspLog,
  type OcspLookup,
  OcspRequest,
  parseResponder,
  type Responder,
} from './ocsp-client.ts';
import {
  GOOD,
  type OcspAnswer,
  OcspError,
  type Question,
  questionId,
  REVOKED,
  readResponse,
  requestOf,
  responderOf,
} from './ocsp-message.ts';
import { openssl } from './openssl.ts';
import type { SessionStore } from './session-store.ts';

export interface OcspConf {
  /** Only the client's own certificate (`ssl_ocsp leaf`). */
  readonly leafOnly: boolean;
  /** undefined: as certificates say. */
  readonly responder: Responder | undefined;
  /** SSL_CTX whose authorities are trusted. */
  readonly context: number;
  /** Set before the first connection. */
  cache: SessionStore | undefined;
  lookup: OcspLookup;
}

const FAILED = 'certificate status request failed';
/** Seconds that a response without an end is remembered. */
const UNLIMITED = 3600;

/** The chain of a client's certificate up to whom we trust, each certificate counted once more; 0 when it is of no interest. */
const chainOf = (ssl: number, context: number): number => {
  const library = openssl();
  if (library.SSL_get_verify_result(ssl) !== 0) return 0;
  const certificate = library.SSL_get1_peer_certificate(ssl);
  if (certificate === 0) return 0;
  const verified = library.SSL_get0_verified_chain(ssl);
  if (verified !== 0) {
    library.X509_free(certificate);
    return library.X509_chain_up_ref(verified);
  }
  // A resumed session has only what the client sent.
  const check = library.X509_STORE_CTX_new();
  library.X509_STORE_CTX_init(
    check,
    library.SSL_CTX_get_cert_store(context),
    certificate,
    library.SSL_get_peer_cert_chain(ssl),
  );
  const chain = library.X509_verify_cert(check) > 0 ? library.X509_STORE_CTX_get1_chain(check) : 0;
  library.X509_STORE_CTX_free(check);
  library.X509_free(certificate);
  library.ERR_clear_error();
  return chain;
};

class OcspCheck {
  #next = 0;
  #request: OcspRequest | undefined = undefined;
  /** What is wrong; '' when nothing, undefined while it is not known. */
  objection: string | undefined = undefined;

  constructor(
    readonly conf: OcspConf,
    readonly connection: TlsConnection,
    readonly chain: number,
    readonly log: OcspLog,
  ) {}

  /** Goes on until something must be waited for. */
  run(): void {
    const library = openssl();
    const last = library.OPENSSL_sk_num(this.chain) - 1;
    while (this.objection === undefined) {
      if (this.#next >= last || (this.conf.leafOnly && this.#next === 1)) {
        this.#end('');
        return;
      }
      const question = {
        certificate: library.OPENSSL_sk_value(this.chain, this.#next),
        issuer: library.OPENSSL_sk_value(this.chain, this.#next + 1),
      };
      this.#next++;
      const known = this.conf.cache?.find(questionId(question))?.[0];
      if (known === undefined) {
        this.#ask(question);
        return;
      }
      if (known !== GOOD) this.#judge(known);
    }
  }

  #ask(question: Question): void {
    const responder = this.conf.responder ?? this.#ownResponder(question.certificate);
    if (!responder) {
      this.#end(FAILED);
      return;
    }
    try {
      const request = new OcspRequest(
        responder,
        requestOf(question),
        this.conf.lookup,
        this.log,
        (response) => {
          this.#request = undefined;
          this.#take(question, response);
        },
      );
      this.#request = request;
      request.start();
    } catch (error) {
      this.#fail(error);
    }
  }

  #ownResponder(certificate: number): Responder | undefined {
    const url = responderOf(certificate);
    if (url === undefined) {
      this.log(ERROR, 'no OCSP responder URL in certificate');
      return undefined;
    }
    const responder = parseResponder(url, () => []);
    if (typeof responder !== 'string') return responder;
    this.log(ERROR, `${inResponder(responder, url)} in certificate`);
    return undefined;
  }

  #take(question: Question, response: Buffer | undefined): void {
    if (!response) {
      this.#end(FAILED);
      return;
    }
    try {
      const store = openssl().SSL_CTX_get_cert_store(this.conf.context);
      const answer = readResponse(response, question, this.chain, store, 0);
      this.#remember(question, answer);
      if (answer.status === GOOD) this.run();
      else this.#judge(answer.status);
    } catch (error) {
      this.#fail(error);
    }
  }

  #remember(question: Question, { status, valid }: OcspAnswer): void {
    const now = Math.floor(Date.now() / 1000);
    const lifetime = valid === Number.POSITIVE_INFINITY ? UNLIMITED : valid - now;
    if (lifetime > 0) this.conf.cache?.add(questionId(question), Buffer.from([status]), lifetime);
  }

  #judge(status: number): void {
    this.#end(status === REVOKED ? 'certificate revoked' : 'certificate status unknown');
  }

  #fail(error: unknown): void {
    if (!(error instanceof OcspError)) throw error;
    this.log(ERROR, `${error.message} while requesting certificate status`);
    this.#end(FAILED);
  }

  #end(objection: string): void {
    this.objection = objection;
    this.#free();
    this.connection.admit(objection);
  }

  /** The connection is gone. */
  cancel(): void {
    if (this.objection !== undefined) return;
    this.objection = FAILED;
    this.#request?.cancel();
    this.#free();
  }

  #free(): void {
    const library = openssl();
    for (let i = 0; i < library.OPENSSL_sk_num(this.chain); i++)
      library.X509_free(library.OPENSSL_sk_value(this.chain, i));
    library.OPENSSL_sk_free(this.chain);
  }
}

/** Begins to ask about a client's certificates; true when it is over at once, see `TlsBeginning.examine`. */
export const checkClient = (conf: OcspConf, connection: TlsConnection, log: OcspLog): boolean => {
  const chain = chainOf(connection.ssl, conf.context);
  if (chain === 0) return true;
  const check = new OcspCheck(conf, connection, chain, log);
  connection.onGone = () => check.cancel();
  check.run();
  if (check.objection === undefined) return false;
  connection.objection = check.objection;
  return true;
};
