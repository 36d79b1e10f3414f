/**
 * The Huffman code of HPACK (RFC 7541 appendix B). It is canonical: codes of one length count up in the order of
 * their symbols, so the lengths say it all.
 */

/** Symbols by the length of their code, in bits; 256 is the end of a string. */
const BY_LENGTH: readonly (readonly [
  bits: number,
  symbols: readonly (string | number | readonly [number, number])[],
])[] = [
  [5, ['012aceiost']],
  [6, [' %-./3456789=A_bdfghlmnpru']],
  [7, [':BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz']],
  [8, ['&*,;XZ']],
  [10, ['!"()?']],
  [11, ["'+|"]],
  [12, ['#>']],
  [13, [0, '$@[]~']],
  [14, ['^}']],
  [15, ['<`{']],
  [19, ['\\', 195, 208]],
  [20, [128, 130, 131, 162, 184, 194, 224, 226]],
  [21, [153, 161, 167, 172, 176, 177, 179, 209, 216, 217, 227, 229, 230]],
  [22, [129, [132, 134], 136, 146, 154, 156, 160, 163, 164, 169, 170, 173, 178, 181, [185, 187], 189, 190]],
  [22, [196, 198, 228, 232, 233]],
  [23, [1, 135, [137, 141], 143, 147, [149, 152], 155, 157, 158, 165, 166, 168, 174, 175, 180, 182, 183]],
  [23, [188, 191, 197, 231, 239]],
  [24, [9, 142, 144, 145, 148, 159, 171, 206, 215, 225, 236, 237]],
  [25, [199, 207, 234, 235]],
  [26, [192, 193, [200, 202], 205, 210, 213, 218, 219, 238, 240, 242, 243, 255]],
  [27, [203, 204, 211, 212, 214, 221, 222, 223, 241, [244, 248], [250, 254]]],
  [28, [[2, 8], 11, 12, [14, 21], [23, 31], 127, 220, 249]],
  [30, [10, 13, 22, 256]],
];

export const SYMBOLS = 257;
/** By symbol: the length of its code, and the code in the low bits. */
export const lengths = new Uint8Array(SYMBOLS);
export const codes = new Uint32Array(SYMBOLS);

const symbolsOf = (part: string | number | readonly [number, number]): readonly number[] => {
  if (typeof part === 'string') return [...part].map((character) => character.charCodeAt(0));
  if (typeof part === 'number') return [part];
  const [from, to] = part;
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
};

let next = 0;
let bits = 0;
for (const [length, parts] of BY_LENGTH) {
  next *= 2 ** (length - bits);
  bits = length;
  for (const symbol of parts.flatMap(symbolsOf)) {
    lengths[symbol] = length;
    codes[symbol] = next++;
  }
}
