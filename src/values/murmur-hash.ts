/** MurmurHash2 of 32 bits with seed 0: what nginx divides clients by, so that shares stay the same. */
const M = 0x5bd1e995;

/** An unsigned hash of 32 bits. */
export const murmurHash2 = (bytes: Uint8Array): number => {
  let left = bytes.length;
  let hash = left;
  let at = 0;
  for (; left >= 4; at += 4, left -= 4) {
    let k =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    k = Math.imul(k, M);
    k ^= k >>> 24;
    k = Math.imul(k, M);
    hash = Math.imul(hash, M) ^ k;
  }
  if (left === 3) hash ^= (bytes[at + 2] ?? 0) << 16;
  if (left >= 2) hash ^= (bytes[at + 1] ?? 0) << 8;
  if (left >= 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), M);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return (hash ^ (hash >>> 15)) >>> 0;
};
