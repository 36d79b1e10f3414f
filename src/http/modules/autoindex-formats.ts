/** The listings of `autoindex`: html, json, jsonp and xml, byte for byte as nginx writes them. */

import { isUtf8 } from 'node:buffer';
import { escapeHtml } from '../html.ts';
import { httpDate } from '../http-date.ts';
import { escapeUri } from '../uri.ts';
import { escapeJson } from './log-format.ts';

export interface DirectoryEntry {
  /** Bytes as a latin1 string. */
  readonly name: string;
  readonly kind: 'directory' | 'file' | 'other';
  /** Seconds since 1970. */
  readonly modified: number;
  readonly size: number;
}

const NAME_WIDTH = 50;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

const two = (n: number): string => String(n).padStart(2, '0');

const timeOf = (modified: number, local: boolean): string => {
  const shift = local ? -new Date().getTimezoneOffset() * 60 : 0;
  const date = new Date((modified + shift) * 1000);
  const day = `${two(date.getUTCDate())}-${MONTHS[date.getUTCMonth()]}-${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
};

const K = 1024;

/** A size in six columns and a letter; rounded half up. */
const roundSize = (size: number): string => {
  const scaled = (unit: number): string =>
    String(Math.floor(size / unit) + (size % unit > unit / 2 - 1 ? 1 : 0));
  if (size > K * K * K - 1) return `${scaled(K * K * K).padStart(6)}G`;
  if (size > K * K - 1) return `${scaled(K * K).padStart(6)}M`;
  if (size > 9999) return `${scaled(K).padStart(6)}K`;
  return ` ${String(size).padStart(6)}`;
};

export interface HtmlOptions {
  readonly exactSize: boolean;
  readonly localTime: boolean;
  /** Names are counted in characters of UTF-8 rather than in bytes. */
  readonly utf8: boolean;
}

/** A name as it is shown, and how many columns it takes. */
const shown = (entry: DirectoryEntry, utf8: boolean): string => {
  const bytes = Buffer.from(entry.name, 'latin1');
  // A name that is not UTF-8 is counted, and cut, in bytes.
  const decoded = utf8 && isUtf8(bytes);
  const name = decoded ? bytes.toString() : entry.name;
  const characters = [...name];
  const back = (text: string): string => (decoded ? Buffer.from(text).toString('latin1') : text);
  if (characters.length > NAME_WIDTH) {
    const cut = back(characters.slice(0, NAME_WIDTH - 3).join(''));
    return `${escapeHtml(cut)}..&gt;</a>`;
  }
  const slash = entry.kind === 'directory' && characters.length < NAME_WIDTH ? '/' : '';
  const padding = ' '.repeat(Math.max(0, NAME_WIDTH - characters.length - slash.length));
  return `${escapeHtml(back(name))}${slash}</a>${padding}`;
};

const htmlLine = (entry: DirectoryEntry, { exactSize, localTime, utf8 }: HtmlOptions): string => {
  const folder = entry.kind === 'directory';
  const href = escapeUri(entry.name, 'component') + (folder ? '/' : '');
  const size = folder
    ? '-'.padStart(exactSize ? 19 : 7)
    : exactSize
      ? String(entry.size).padStart(19)
      : roundSize(entry.size);
  return `<a href="${href}">${shown(entry, utf8)} ${timeOf(entry.modified, localTime)} ${size}\r\n`;
};

export const htmlListing = (
  uri: string,
  entries: readonly DirectoryEntry[],
  options: HtmlOptions,
): string => {
  const title = escapeHtml(uri);
  const lines = entries.map((entry) => htmlLine(entry, options)).join('');
  return (
    `<html>\r\n<head><title>Index of ${title}</title></head>\r\n<body>\r\n<h1>Index of ${title}</h1>` +
    `<hr><pre><a href="../">../</a>\r\n${lines}</pre><hr></body>\r\n</html>\r\n`
  );
};

/** `callback`: undefined for JSON, the function's name for JSONP. */
export const jsonListing = (entries: readonly DirectoryEntry[], callback: string | undefined): string => {
  const rows = entries.map(({ name, kind, modified, size }) => {
    const end = kind === 'file' ? `", "size":${size}` : '"';
    return `\r\n{ "name":"${escapeJson(name)}", "type":"${kind}", "mtime":"${httpDate(modified)}${end} }`;
  });
  const list = `[${rows.join(',')}\r\n]`;
  return callback === undefined ? list : `/* callback */\r\n${callback}(${list});`;
};

export const xmlListing = (entries: readonly DirectoryEntry[]): string => {
  const rows = entries.map(({ name, kind, modified, size }) => {
    const time = `${new Date(modified * 1000).toISOString().slice(0, 19)}Z`;
    const attribute = kind === 'file' ? ` size="${size}"` : '';
    return `<${kind} mtime="${time}"${attribute}>${escapeHtml(name)}</${kind}>\r\n`;
  });
  return `<?xml version="1.0"?>\r\n<list>\r\n${rows.join('')}</list>\r\n`;
};
