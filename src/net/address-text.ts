/** An address as nginx writes it (RFC 5952, but for what it makes of the older forms with IPv4 inside). */

const GROUPS = 8;

/** The longest run of at least two zero groups: where it begins, and how many. */
const zeroRun = (groups: readonly number[]): readonly [from: number, length: number] => {
  let [best, most] = [-1, 1];
  for (let from = 0; from < GROUPS; from++) {
    let length = 0;
    while (from + length < GROUPS && groups[from + length] === 0) length++;
    if (length > most) [best, most] = [from, length];
  }
  return best < 0 ? [GROUPS, 0] : [best, most];
};

/** The text of 4 or 16 bytes. */
export const addressText = (bytes: readonly number[]): string => {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from(
    { length: GROUPS },
    (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0),
  );
  const [from, length] = zeroRun(groups);
  // nginx takes these for IPv4-compatible and mapped addresses.
  const compatible = length === 6 || (length === 7 && bytes[14] !== 0 && bytes[15] !== 1);
  const dotted = from === 0 && (compatible || (length === 5 && groups[5] === 0xffff));
  if (dotted) return `::${length === 5 ? 'ffff:' : ''}${bytes.slice(12).join('.')}`;
  const hex = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(':');
  if (length === 0) return hex(groups);
  return `${hex(groups.slice(0, from))}::${hex(groups.slice(from + length))}`;
};
