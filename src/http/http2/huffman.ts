/** Strings in HPACK's Huffman code (RFC 7541 section 5.2). */
import { codes, lengths, SYMBOLS } from './huffman-code.ts';

/** What a step of four bits does: the next state, and these. */
const EMITS = 1 << 8;
const FAILS = 1 << 9;
/** A string may end after this step: what is left is all ones. As nginx, it takes more than seven of them too. */
const MAY_END = 1 << 10;
const SYMBOL_SHIFT = 16;
const END_OF_STRING = 256;

/** Inner nodes of the code's tree are the states; a step is four bits, and meets one symbol at most: none is shorter than five. */
const makeSteps = (): Uint32Array => {
  const left: number[] = [0];
  const right: number[] = [0];
  // Positive: an inner node; negative: a symbol, as -1 - symbol; 0: not there yet.
  for (let symbol = 0; symbol < SYMBOLS; symbol++) {
    const length = lengths[symbol] ?? 0;
    const code = codes[symbol] ?? 0;
    let node = 0;
    for (let bit = length - 1; bit >= 0; bit--) {
      const side = (code >>> bit) & 1 ? right : left;
      if (bit === 0) {
        side[node] = -1 - symbol;
      } else {
        let child = side[node] ?? 0;
        if (child === 0) {
          child = left.push(0) - 1;
          right.push(0);
          side[node] = child;
        }
        node = child;
      }
    }
  }
  const padding = new Set<number>([0]);
  for (let node = right[0] ?? -1; node > 0; node = right[node] ?? -1) padding.add(node);
  const steps = new Uint32Array(left.length * 16);
  for (let state = 0; state < left.length; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state;
      let step = 0;
      for (let bit = 3; bit >= 0; bit--) {
        const child = ((nibble >>> bit) & 1 ? right : left)[node] ?? 0;
        if (child >= 0) {
          node = child;
          continue;
        }
        const symbol = -1 - child;
        step |= symbol === END_OF_STRING ? FAILS : EMITS | (symbol << SYMBOL_SHIFT);
        node = 0;
      }
      if (padding.has(node)) step |= MAY_END;
      steps[state * 16 + nibble] = step | node;
    }
  }
  return steps;
};
const steps = makeSteps();

let output = Buffer.allocUnsafeSlow(16384);

/** The text of the coded bytes from `start` to `end`; undefined when they are no code, or badly padded. */
export const decodeHuffman = (bytes: Uint8Array, start: number, end: number): string | undefined => {
  // The shortest code has five bits.
  const most = Math.ceil(((end - start) * 8) / 5);
  if (most > output.length) output = Buffer.allocUnsafeSlow(most);
  const out = output;
  let length = 0;
  let step = MAY_END;
  for (let position = start; position < end; position++) {
    const byte = bytes[position] ?? 0;
    step = steps[((step & 255) << 4) | (byte >>> 4)] ?? FAILS;
    if ((step & (EMITS | FAILS)) !== 0) {
      if ((step & FAILS) !== 0) return undefined;
      out[length++] = step >>> SYMBOL_SHIFT;
    }
    step = steps[((step & 255) << 4) | (byte & 15)] ?? FAILS;
    if ((step & (EMITS | FAILS)) !== 0) {
      if ((step & FAILS) !== 0) return undefined;
      out[length++] = step >>> SYMBOL_SHIFT;
    }
  }
  return (step & MAY_END) !== 0 ? out.latin1Slice(0, length) : undefined;
};

/** Latin1 text coded, one character a byte; undefined when that is not shorter. */
export const encodeHuffman = (text: string): string | undefined => {
  let bits = 0;
  for (let i = 0; i < text.length; i++) bits += lengths[text.charCodeAt(i) & 255] ?? 0;
  const size = (bits + 7) >>> 3;
  if (size >= text.length) return undefined;
  if (size > output.length) output = Buffer.allocUnsafeSlow(size);
  const out = output;
  let at = 0;
  // Fewer than eight bits wait between symbols; a long code is taken in two parts.
  let waiting = 0;
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const symbol = text.charCodeAt(i) & 255;
    const code = codes[symbol] ?? 0;
    let length = lengths[symbol] ?? 0;
    if (length > 16) {
      length -= 16;
      waiting = (waiting << 16) | (code >>> length);
      count += 16;
      for (; count >= 8; count -= 8) out[at++] = waiting >>> (count - 8);
    }
    waiting = (waiting << length) | (code & ((1 << length) - 1));
    count += length;
    for (; count >= 8; count -= 8) out[at++] = waiting >>> (count - 8);
  }
  if (count > 0) out[at++] = (waiting << (8 - count)) | (255 >>> count);
  return out.latin1Slice(0, at);
};
