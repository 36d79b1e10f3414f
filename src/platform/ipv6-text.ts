/** IPv6 addresses as the system writes them (RFC 5952). */

const GROUPS = 8;

/** The longest run of two or more zero groups, the first of equals, as [from, to]. */
const zeros = (groups: readonly number[]): readonly [number, number] => {
  let best: readonly [number, number] = [GROUPS, GROUPS];
  let longest = 1;
  let from = 0;
  for (let i = 0; i <= GROUPS; i++) {
    if (groups[i] === 0) continue;
    if (i - from > longest) {
      best = [from, i];
      longest = i - from;
    }
    from = i + 1;
  }
  return best;
};

const hex = (groups: readonly number[]): string => groups.map((group) => group.toString(16)).join(':');

/** The text of 16 bytes. */
export const ipv6Text = (bytes: Buffer): string => {
  const groups: number[] = [];
  for (let at = 0; at < 2 * GROUPS; at += 2) groups.push(bytes.readUInt16BE(at));
  const [from, to] = zeros(groups);
  if (from === 0 && to === 5 && groups[5] === 0xffff) return `::ffff:${bytes.subarray(12, 16).join('.')}`;
  if (from === GROUPS) return hex(groups);
  return `${hex(groups.slice(0, from))}::${hex(groups.slice(to))}`;
};
