/** CRC-32 as zlib and nginx count it, over bytes given as latin1 text. */
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** A sum that is not finished: begin with CRC_START. */
export const CRC_START = 0xffffffff;
export const crcUpdate = (crc: number, text: string): number => {
  let sum = crc;
  for (let i = 0; i < text.length; i++) sum = (TABLE[(sum ^ text.charCodeAt(i)) & 0xff] ?? 0) ^ (sum >>> 8);
  return sum >>> 0;
};
export const crcFinish = (crc: number): number => (crc ^ 0xffffffff) >>> 0;

/** The sum of one text. */
export const crc32 = (text: string): number => crcFinish(crcUpdate(CRC_START, text));
