/** `ssl_stapling` and `ssl_ocsp`: what they need of a server's certificates and directives. */
import { readFileSync } from 'node:fs';
import type { LoadContext } from '../../config/contract.ts';
import { absolute } from '../../config/parsers.ts';
import type { KeyPair, TlsContext } from '../context.ts';
import { takeErrors } from '../errors.ts';
import type { OcspConf } from '../ocsp-check.ts';
import { inResponder, type OcspLookup, parseResponder, type Responder } from '../ocsp-client.ts';
import { responderOf } from '../ocsp-message.ts';
import { cText, openssl, pointerIn } from '../openssl.ts';
import { type Owned, owned } from '../owned.ts';
import { PemError } from '../pem.ts';
import { Staple } from '../stapling.ts';

/** What the directives say. */
export interface StaplingConf {
  readonly stapling: boolean;
  readonly staplingFile: string;
  readonly staplingResponder: string;
  readonly staplingVerify: boolean;
}

const OCSP_NOVERIFY = 0x10;
const OCSP_TRUSTOTHER = 0x200;
const NO_LOOKUP: OcspLookup = { resolver: undefined, timeout: 0 };

/** The certificate of who signed the first of a chain: in the chain itself, or among the trusted. */
const issuerOf = ({ chain }: KeyPair, context: TlsContext): Owned | undefined => {
  const library = openssl();
  const [first, ...rest] = chain;
  if (!first) return undefined;
  const inChain = rest.find(({ at }) => library.X509_check_issued(at, first.at) === 0);
  if (inChain) return inChain;
  const search = library.X509_STORE_CTX_new();
  library.X509_STORE_CTX_init(search, library.SSL_CTX_get_cert_store(context.at), 0, 0);
  const found = Buffer.alloc(8);
  const result = library.X509_STORE_CTX_get1_issuer(found, search, first.at);
  library.X509_STORE_CTX_free(search);
  library.ERR_clear_error();
  return result === 1 ? owned(pointerIn(found), library.X509_free) : undefined;
};

/** `ssl_stapling_file`, as it is sent. Throws PemError. */
const readFileOf = (path: string): Buffer => {
  const library = openssl();
  // For nginx's words when it can't be read.
  const bio = library.BIO_new_file(cText(path), cText('rb'));
  if (bio === 0) throw new PemError(`BIO_new_file("${path}") failed${takeErrors()}`);
  const response = library.ASN1_item_d2i_bio(library.OCSP_RESPONSE_it(), bio, 0);
  library.BIO_free(bio);
  if (response === 0) throw new PemError(`d2i_OCSP_RESPONSE_bio("${path}") failed${takeErrors()}`);
  library.OCSP_RESPONSE_free(response);
  return readFileSync(path);
};

/** The responder, whose host must be known now; or a reason against it. */
const foundResponder = (url: string, load: LoadContext): Responder | string => {
  const responder = parseResponder(url, (host) => load.addresses(host));
  if (typeof responder === 'string') return responder;
  return responder.addresses.length > 0 ? responder : 'host not found';
};

/** Who is asked about a certificate; undefined, after a warning, when nobody can be. */
const stapleResponder = (conf: StaplingConf, pair: KeyPair, load: LoadContext): Responder | undefined => {
  const name = pair.certificateName;
  const url = conf.staplingResponder || responderOf(pair.chain[0]?.at ?? 0);
  const ignored = (reason: string): undefined => {
    load.warn(`"ssl_stapling" ignored, ${reason}`);
    return undefined;
  };
  if (url === undefined) return ignored(`no OCSP responder URL in the certificate "${name}"`);
  const responder = foundResponder(url, load);
  if (typeof responder === 'string')
    return ignored(`${inResponder(responder, url)} in the certificate "${name}"`);
  return responder;
};

const stapleOf = (
  conf: StaplingConf,
  pair: KeyPair,
  context: TlsContext,
  load: LoadContext,
): Staple | undefined => {
  const library = openssl();
  const { certificateName: name, chain } = pair;
  const [first, ...rest] = chain;
  if (!first) return undefined;
  let stack = 0;
  const trust = {
    // The certificates live as long as the context: the stack only refers to them.
    chain: () => {
      if (stack !== 0) return stack;
      stack = library.OPENSSL_sk_new_null();
      for (const { at } of rest) library.OPENSSL_sk_push(stack, at);
      return stack;
    },
    store: library.SSL_CTX_get_cert_store(context.at),
    flags: conf.staplingVerify ? OCSP_TRUSTOTHER : OCSP_NOVERIFY,
  };
  if (conf.staplingFile !== '') {
    const file = readFileOf(absolute(load.confPrefix, conf.staplingFile));
    return new Staple(name, undefined, undefined, trust, file);
  }
  const issuer = issuerOf(pair, context);
  if (!issuer) {
    load.warn(`"ssl_stapling" ignored, issuer certificate not found for certificate "${name}"`);
    return undefined;
  }
  const responder = stapleResponder(conf, pair, load);
  if (!responder) return undefined;
  const question = { certificate: first.at, issuer: issuer.at, holder: issuer };
  return new Staple(name, question, responder, trust, undefined);
};

/** Prepares the responses about a context's certificates. Throws PemError. */
export const addStaples = (context: TlsContext, conf: StaplingConf, load: LoadContext): void => {
  for (const pair of context.pairs) {
    const staple = stapleOf(conf, pair, context, load);
    const at = pair.chain[0]?.at;
    if (staple && at !== undefined) context.staples.set(at, staple);
  }
  context.sendStaples();
};

/** `ssl_ocsp`. Throws PemError. */
export const ocspOf = (context: TlsContext, leafOnly: boolean, url: string, load: LoadContext): OcspConf => {
  const responder = url === '' ? undefined : foundResponder(url, load);
  if (typeof responder === 'string')
    throw new PemError(`${inResponder(responder, url)} in "ssl_ocsp_responder"`);
  return { leafOnly, responder, context: context.at, cache: undefined, lookup: NO_LOOKUP };
};
