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

/** The value of a cookie by its name in any case (`name=value`, several divided by `;`). */
export const cookieValue = (headers: HeadersIn, name: string): Value => {
  if (name === '') return undefined;
  const { names, values } = headers;
  for (let i = 0; i < names.length; i++) {
    if (names[i]?.lower !== 'cookie') continue;
    for (const pair of (values[i] ?? '').split(';')) {
      const text = pair.replace(/^[ \t]+/, '');
      if (text.length <= name.length || text.slice(0, name.length).toLowerCase() !== name) continue;
      const match = /^ *= *(.*)$/s.exec(text.slice(name.length));
      if (match) return match[1];
    }
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
