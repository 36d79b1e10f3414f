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

/** Told what is wrong with the list or the name, in nginx's words. */
type Complain = (reason: string) => void;

/** The value of a type; undefined when it is not there or the list is broken. */
const lookUp = (tlvs: string, type: number, complain: Complain): string | undefined => {
  for (let at = 0; at < tlvs.length; ) {
    const length = (tlvs.charCodeAt(at + 1) << 8) | tlvs.charCodeAt(at + 2);
    const end = at + 3 + length;
    if (at + 3 > tlvs.length || end > tlvs.length) {
      complain('broken PROXY protocol TLV');
      return undefined;
    }
    if (tlvs.charCodeAt(at) === type) return tlvs.slice(at + 3, end);
    at = end;
  }
  return undefined;
};

/**
 * The value that `name` means (`alpn`, `0x05`, `ssl_cn`, `ssl_0x22`, `ssl_verify`) in the bytes behind the
 * header's addresses; undefined when there is none.
 */
export const tlvValue = (tlvs: string, name: string, complain: Complain): string | undefined => {
  let [list, types, own] = [tlvs, TYPES, name];
  if (name.startsWith('ssl_')) {
    const ssl = lookUp(tlvs, TYPES.ssl ?? 0, complain);
    if (ssl === undefined || ssl.length < SSL_HEAD) return undefined;
    if (name === 'ssl_verify') return `${Buffer.from(ssl.slice(1, SSL_HEAD), 'latin1').readUInt32BE(0)}`;
    [list, types, own] = [ssl.slice(SSL_HEAD), SSL_TYPES, name.slice(4)];
  }
  const numbered = own.startsWith('0x');
  if (numbered && !/^0x[0-9a-f]+$/.test(own)) {
    complain(`invalid PROXY protocol TLV "${name}"`);
    return undefined;
  }
  const type = numbered ? Number(own) : types[own];
  if (type !== undefined) return lookUp(list, type, complain);
  complain(`unknown PROXY protocol TLV "${name}"`);
  return undefined;
};
