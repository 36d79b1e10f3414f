/** The queries of a DNS client as bytes (RFC 1035, section 4). */

/** Types of resource records. */
export const RECORD = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, DNAME: 39 } as const;

export const HEADER_BYTES = 12;
/** Type and class behind a name. */
export const QUESTION_BYTES = 4;
const INTERNET = 1;
/** The reply is to be made by asking others. */
const RECURSION_DESIRED = 0x0100;
const LONGEST_LABEL = 63;
/** With the length of each label and the final zero. */
const LONGEST_NAME = 255;

/** The query for records of `type` of a name (bytes as latin1, no dot at its end). Undefined: no such name can be asked for. */
export const encodeQuery = (id: number, name: string, type: number): Buffer | undefined => {
  const labels = name.split('.');
  const nameBytes = name.length + 2;
  if (nameBytes > LONGEST_NAME) return undefined;
  if (labels.some((label) => label === '' || label.length > LONGEST_LABEL)) return undefined;
  const query = Buffer.alloc(HEADER_BYTES + nameBytes + QUESTION_BYTES);
  query.writeUInt16BE(id, 0);
  query.writeUInt16BE(RECURSION_DESIRED, 2);
  query.writeUInt16BE(1, 4);
  let at = HEADER_BYTES;
  for (const label of labels) {
    query[at++] = label.length;
    at += query.write(label, at, 'latin1');
  }
  at++;
  query.writeUInt16BE(type, at);
  query.writeUInt16BE(INTERNET, at + 2);
  return query;
};
