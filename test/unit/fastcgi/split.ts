/** Every way to cut a fixture that finds a parser's boundary mistakes. */

/** `bytes` whole, byte by byte, and in two pieces cut at every offset. */
export function* cuts(
  bytes: Buffer,
): Generator<{ readonly name: string; readonly pieces: readonly Buffer[] }> {
  yield { name: 'whole', pieces: [bytes] };
  yield { name: 'byte by byte', pieces: Array.from(bytes, (_, i) => bytes.subarray(i, i + 1)) };
  for (let at = 1; at < bytes.length; at++) {
    yield { name: `cut at ${at}`, pieces: [bytes.subarray(0, at), bytes.subarray(at)] };
  }
}
