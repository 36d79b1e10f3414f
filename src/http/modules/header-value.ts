/** Header lines as variables see them: found by a name with `_` for `-`, several values as one text. */
import type { HeadersIn } from '../headers.ts';
import type { Value } from '../variables.ts';

/** Whether a header's lower-case name is the one that a variable names. */
const sameName = (lower: string, wanted: string): boolean => {
  if (lower.length !== wanted.length) return false;
  for (let i = 0; i < lower.length; i++) {
    const c = lower.charCodeAt(i);
    if ((c === 0x2d ? 0x5f : c) !== wanted.charCodeAt(i)) return false;
  }
  return true;
};

/** Finds the lines of the request's header that `wanted` (`user_agent`) names, joined. */
export const requestHeader = (wanted: string): ((headers: HeadersIn) => Value) => {
  const dashed = wanted.replaceAll('_', '-');
  const separator = wanted === 'cookie' ? '; ' : ', ';
  return ({ names, values }) => {
    let text: Value;
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      if (name?.lower !== dashed && !(name?.validity === 1 && sameName(name.lower, wanted))) continue;
      const value = values[i] ?? '';
      text = text === undefined ? value : text + separator + value;
    }
    return text;
  };
};

/** Finds the lines `name, value, name, value ...` that `wanted` names, joined. */
export const lineValue = (lines: readonly string[], wanted: string): Value => {
  let text: Value;
  for (let i = 0; i < lines.length; i += 2) {
    if (!sameName((lines[i] ?? '').toLowerCase(), wanted)) continue;
    const value = lines[i + 1] ?? '';
    text = text === undefined ? value : `${text}, ${value}`;
  }
  return text;
};

/** The next pair of a Cookie line, from `at` on. */
const nextPair = (line: string, at: number): number => {
  let next = at;
  while (next < line.length && line[next] !== ';') next++;
  next++;
  while (line[next] === ' ') next++;
  return next;
};

/** The value of a cookie in one line; undefined when the line has none of that name. */
const cookieIn = (line: string, name: string): Value => {
  for (let start = 0; start < line.length; ) {
    if (line.slice(start, start + name.length).toLowerCase() === name) {
      start += name.length;
      while (line[start] === ' ') start++;
      if (line[start++] === '=') {
        while (line[start] === ' ') start++;
        const end = line.indexOf(';', start);
        return end < 0 ? line.slice(start) : line.slice(start, end);
      }
    }
    start = nextPair(line, start);
  }
  return undefined;
};

/** The value of a cookie by its name in any case (`name=value`, divided by `;`). */
export const cookieValue = ({ names, values }: HeadersIn, name: string): Value => {
  for (let i = 0; i < names.length; i++) {
    if (names[i]?.lower !== 'cookie') continue;
    const value = cookieIn(values[i] ?? '', name);
    if (value !== undefined) return value;
  }
  return undefined;
};

/** The value of an argument by its name in any case; undefined when it is not there with a `=`. */
export const argumentValue = (args: string, name: string): Value => {
  const length = name.length;
  if (length === 0) return undefined;
  for (let start = 0; start <= args.length; ) {
    const end = args.indexOf('&', start);
    const stop = end < 0 ? args.length : end;
    if (
      args.charCodeAt(start + length) === 0x3d &&
      start + length < stop &&
      args.slice(start, start + length).toLowerCase() === name
    ) {
      return args.slice(start + length + 1, stop);
    }
    if (end < 0) return undefined;
    start = end + 1;
  }
  return undefined;
};
