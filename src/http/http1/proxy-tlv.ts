/** The extra values (TLVs) of a PROXY protocol header of version 2, for `$proxy_protocol_tlv_*`. */

const TYPES: Readonly<Record<string, number>> = {
  alpn: 1,
  authority: 2,
  unique_id: 5,
  ssl: 0x20,
  netns: 0x30,
};
const SSL_TYPES: Readonly<Record<string, number>> = {
  version: 0x21,
  cn: 0x22,
  cipher: 0x23,
  sig_alg: 0x24,
  key_alg: 0x25,
};
/** Before the values inside of `ssl`: a byte of flags and what verifying the client's certificate gave. */
const SSL_HEAD = 5;

/** The value of a type; undefined when it is not there or the list is broken. */
const lookUp = (tlvs: string, type: number): string | undefined => {
  for (let at = 0; at + 3 <= tlvs.length; ) {
    const length = (tlvs.charCodeAt(at + 1) << 8) | tlvs.charCodeAt(at + 2);
    const end = at + 3 + length;
    if (end > tlvs.length) return undefined;
    if (tlvs.charCodeAt(at) === type) return tlvs.slice(at + 3, end);
    at = end;
  }
  return undefined;
};

const typeOf = (name: string, types: Readonly<Record<string, number>>): number | undefined =>
  /^0x[0-9a-f]+$/.test(name) ? Number(name) : types[name];

/**
 * The value that `name` means (`alpn`, `0x05`, `ssl_cn`, `ssl_0x22`, `ssl_verify`) in the bytes behind the
 * header's addresses; undefined when there is none.
 */
export const tlvValue = (tlvs: string, name: string): string | undefined => {
  if (!name.startsWith('ssl_')) {
    const type = typeOf(name, TYPES);
    return type === undefined ? undefined : lookUp(tlvs, type);
  }
  const ssl = lookUp(tlvs, 0x20);
  if (ssl === undefined || ssl.length < SSL_HEAD) return undefined;
  if (name === 'ssl_verify') return `${Buffer.from(ssl.slice(1, SSL_HEAD), 'latin1').readUInt32BE(0)}`;
  const type = typeOf(name.slice(4), SSL_TYPES);
  return type === undefined ? undefined : lookUp(ssl.slice(SSL_HEAD), type);
};
