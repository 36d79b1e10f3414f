/** Whether a head fits the buffers that the configuration gives it. */
import { IN_LINE, refuse, refuseHeaders } from '../refusal.ts';

/** How much of a header line fits into a line of the log. */
const LOGGED = 1748;

/** Set by `checkBuffers` with 494: where the line begins that does not fit. */
export let tooLongAt = 0;

/** `room`: what of the line would have been in the last buffer. */
const tooLong = (text: string, position: number, room: number): number => {
  tooLongAt = position;
  return refuseHeaders(
    494,
    room === 0
      ? 'client sent too large request'
      : `client sent too long header line: "${text.slice(position, position + Math.min(room, LOGGED))}..."`,
  );
};

/**
 * Whether the head fits nginx's buffers: `client_header_buffer_size` first, then at most `number` of `size`;
 * a line never spans two. Answers 0, 414 for the request line or 494 for a header line; `text` may still be
 * incomplete at `end`.
 */
export const checkBuffers = (
  text: string,
  start: number,
  end: number,
  first: number,
  large: { count: number; size: number },
): number => {
  let capacity = first;
  let used = 0;
  let taken = 0;
  for (let position = start, line = 0; position < end; line++) {
    const lf = text.indexOf('\n', position);
    const next = lf < 0 || lf >= end ? end : lf + 1;
    const length = next - position;
    // The empty line: what stands behind it is a body, which no header buffer has to hold.
    if (line > 0 && (length === 1 || (length === 2 && text.charCodeAt(position) === 13)) && lf >= 0) return 0;
    if (used + length > capacity) {
      if (length > large.size || taken >= large.count) {
        if (line === 0) return refuse(414, `client sent too long URI${IN_LINE}`);
        return tooLong(text, position, taken < large.count ? large.size : capacity - used);
      }
      taken++;
      capacity = large.size;
      used = 0;
    }
    used += length;
    position = next;
  }
  return 0;
};
