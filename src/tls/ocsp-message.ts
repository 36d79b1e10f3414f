/** Requests to OCSP responders, and what their responses say (RFC 6960). */
import { createHash } from 'node:crypto';
import { libc } from '../platform/libc.ts';
import { takeErrors } from './errors.ts';
import { derOf, openssl, pointerIn, readDer } from './openssl.ts';
import type { Owned } from './owned.ts';
import { textOfTime } from './text.ts';

/** A response that is of no use; `message` is for the log. */
export class OcspError extends Error {
  override readonly name = 'OcspError';
}

/** What is asked. */
export interface Question {
  readonly certificate: number;
  readonly issuer: number;
  /** Keeps the issuer, where nobody else does. */
  readonly holder?: Owned;
}

/** V_OCSP_CERTSTATUS_*. */
export const GOOD = 0;
export const REVOKED = 1;

export interface OcspAnswer {
  /** GOOD, REVOKED, or unknown. */
  readonly status: number;
  /** Until when it holds, seconds since 1970; Infinity when it does not say. */
  readonly valid: number;
}

/** A responder may be off by so many seconds. */
const CLOCK_SKEW = 300;

/** OpenSSL's word for a status: `good`, `revoked`, `unknown`. */
export const statusText = (status: number): string => openssl().OCSP_cert_status_str(status) ?? '';

/** The request as DER. Throws OcspError. */
export const requestOf = ({ certificate, issuer }: Question): Buffer => {
  const ssl = openssl();
  const request = ssl.OCSP_REQUEST_new();
  const id = ssl.OCSP_cert_to_id(0, certificate, issuer);
  if (id === 0) throw new OcspError(`OCSP_cert_to_id() failed${takeErrors()}`);
  // The request owns the id from then on.
  ssl.OCSP_request_add0_id(request, id);
  const bytes = derOf('i2d_OCSP_REQUEST', request);
  ssl.OCSP_REQUEST_free(request);
  return bytes;
};

/** The address of the responder that a certificate names; undefined when it names none. */
export const responderOf = (certificate: number): string | undefined => {
  const ssl = openssl();
  const urls = ssl.X509_get1_ocsp(certificate);
  if (urls === 0) return undefined;
  const first = ssl.OPENSSL_sk_value(urls, 0);
  const url = first === 0 ? undefined : libc().koffi.decode.string(BigInt(first));
  ssl.X509_email_free(urls);
  return url;
};

/** What tells one certificate of one issuer from all others: 32 bytes. */
export const questionId = ({ certificate, issuer }: Question): Buffer =>
  createHash('sha256').update(derOf('i2d_X509', certificate)).update(derOf('i2d_X509', issuer)).digest();

/**
 * What a response says. `chain`: a stack of certificates that may have signed it; `store`: whom to trust; `flags`:
 * of OCSP_basic_verify. Throws OcspError.
 */
export const readResponse = (
  bytes: Buffer,
  question: Question,
  chain: number,
  store: number,
  flags: number,
): OcspAnswer => {
  const ssl = openssl();
  const response = readDer('d2i_OCSP_RESPONSE', bytes);
  if (response === 0) throw new OcspError(`d2i_OCSP_RESPONSE() failed${takeErrors()}`);
  let basic = 0;
  let id = 0;
  try {
    const outcome = ssl.OCSP_response_status(response);
    if (outcome !== 0) {
      throw new OcspError(
        `OCSP response not successful (${outcome}: ${ssl.OCSP_response_status_str(outcome)})`,
      );
    }
    basic = ssl.OCSP_response_get1_basic(response);
    if (basic === 0) throw new OcspError(`OCSP_response_get1_basic() failed${takeErrors()}`);
    if (ssl.OCSP_basic_verify(basic, chain, store, flags) !== 1)
      throw new OcspError(`OCSP_basic_verify() failed${takeErrors()}`);
    id = ssl.OCSP_cert_to_id(0, question.certificate, question.issuer);
    const [status, thisUpdate, nextUpdate] = [Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(8)];
    if (ssl.OCSP_resp_find_status(basic, id, status, 0, 0, thisUpdate, nextUpdate) !== 1)
      throw new OcspError('certificate status not found in the OCSP response');
    const next = pointerIn(nextUpdate);
    if (ssl.OCSP_check_validity(pointerIn(thisUpdate), next, CLOCK_SKEW, -1) !== 1)
      throw new OcspError(`OCSP_check_validity() failed${takeErrors()}`);
    const valid = next === 0 ? Number.POSITIVE_INFINITY : Date.parse(textOfTime(next)) / 1000;
    if (Number.isNaN(valid)) throw new OcspError('invalid nextUpdate time in certificate status');
    return { status: status.readInt32LE(), valid };
  } finally {
    if (id !== 0) ssl.OCSP_CERTID_free(id);
    if (basic !== 0) ssl.OCSP_BASICRESP_free(basic);
    ssl.OCSP_RESPONSE_free(response);
  }
};
