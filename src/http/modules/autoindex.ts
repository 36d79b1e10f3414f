/** `autoindex`: a folder without an index is listed (ngx_http_autoindex). */
import { lstatSync, readdirSync, statSync } from 'node:fs';
import { type Conf, type Context, directive } from '../../config/contract.ts';
import { enumOf, flag } from '../../config/parsers.ts';
import { CRIT, ERROR as ERROR_LEVEL, INFO } from '../../log/levels.ts';
import { bytePath } from '../../platform/byte-path.ts';
import { errorCode, errorText } from '../../platform/errno.ts';
import { filePath } from '../file-path.ts';
import { sendHeader } from '../finalize.ts';
import { type Handler, httpModule } from '../module.ts';
import { LAST, OWNED } from '../output.ts';
import { discardBody } from '../read-body.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, DONE, ERROR, OK } from '../verdict.ts';
import { type DirectoryEntry, htmlListing, jsonListing, xmlListing } from './autoindex-formats.ts';
import { isAbsent } from './file-errors.ts';
import { argumentValue } from './header-value.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const SLASH = 0x2f;

/** One entry of a folder; undefined, logged, for one that may not be looked at. Throws other errors. */
const entryOf = (request: Request, folder: Buffer, name: Buffer): DirectoryEntry | undefined => {
  const path = Buffer.concat([folder, name]);
  let stat: ReturnType<typeof statSync>;
  try {
    stat = statSync(path);
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'ENOENT' && code !== 'ELOOP') {
      logRequest(request, CRIT, `stat() "${path.toString('latin1')}" failed (${errorText(error)})`);
      if (code === 'EACCES') return undefined;
      throw error;
    }
    // A link that leads nowhere is shown as what it is.
    stat = lstatSync(path);
  }
  const kind = stat?.isDirectory() ? 'directory' : stat?.isFile() ? 'file' : 'other';
  return {
    name: name.toString('latin1'),
    kind,
    modified: Math.floor((stat?.mtimeMs ?? 0) / 1000),
    size: stat?.size ?? 0,
  };
};

const order = (a: DirectoryEntry, b: DirectoryEntry): number => {
  const folders = Number(b.kind === 'directory') - Number(a.kind === 'directory');
  if (folders !== 0) return folders;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
};

/** What is in a folder, sorted. Throws the system's error, logged, when one of the names can't be looked at. */
const entriesOf = (request: Request, folder: Buffer, names: readonly Buffer[]): readonly DirectoryEntry[] => {
  const entries: DirectoryEntry[] = [];
  for (const name of names) {
    const entry = name[0] === 0x2e ? undefined : entryOf(request, folder, name);
    if (entry) entries.push(entry);
  }
  return entries.sort(order);
};

const failed = (request: Request, path: string, error: unknown): number => {
  const code = errorCode(error);
  const status = isAbsent(code) ? 404 : code === 'EACCES' ? 403 : 500;
  logRequest(
    request,
    status === 500 ? CRIT : ERROR_LEVEL,
    `opendir() "${path}" failed (${errorText(error)})`,
  );
  return status;
};

/** The function that JSONP calls; undefined when none is named, null, logged, when it is none. */
const callbackOf = (request: Request): string | undefined | null => {
  const name = argumentValue(request.args, 'callback');
  if (name === undefined || name === '') return undefined;
  if (name.length <= 128 && /^[A-Za-z0-9_.]*$/.test(name)) return name;
  const fault = name.length > 128 ? 'too long' : 'invalid';
  logRequest(request, INFO, `client sent ${fault} callback name: "${name}"`);
  return null;
};

const TYPES = {
  html: 'text/html',
  json: 'application/json',
  jsonp: 'application/javascript',
  xml: 'text/xml',
};

const directives = {
  autoindex: directive(flag, { in: WHERE, initial: false }),
  autoindex_exact_size: directive(flag, { in: WHERE, initial: true }),
  autoindex_format: directive(enumOf('html', 'json', 'jsonp', 'xml'), { in: WHERE, initial: 'html' }),
  autoindex_localtime: directive(flag, { in: WHERE, initial: false }),
};

type Format = keyof typeof TYPES;

/** The listing, after the head: what the charset is has been decided. */
const listing = (
  request: Request,
  conf: Conf<typeof directives>,
  format: Format,
  callback: string | undefined,
  entries: readonly DirectoryEntry[],
): string => {
  if (format === 'xml') return xmlListing(entries);
  if (format !== 'html') return jsonListing(entries, callback);
  const utf8 = request.out.charset.toLowerCase() === 'utf-8';
  const options = { exactSize: conf.autoindex_exact_size, localTime: conf.autoindex_localtime, utf8 };
  return htmlListing(request.uri, entries, options);
};

const handler =
  (conf: Conf<typeof directives>): Handler =>
  (request) => {
    const { method, uri, out } = request;
    if (uri.charCodeAt(uri.length - 1) !== SLASH || (method !== 'GET' && method !== 'HEAD')) return DECLINED;
    discardBody(request);
    const path = filePath(request);
    if (path === undefined) return 500;
    const callback = conf.autoindex_format === 'jsonp' ? callbackOf(request) : undefined;
    if (callback === null) return 400;
    const format =
      conf.autoindex_format === 'jsonp' && callback === undefined ? 'json' : conf.autoindex_format;
    const folder = bytePath(path);
    let names: readonly Buffer[];
    try {
      names = readdirSync(folder, { encoding: 'buffer' });
    } catch (error) {
      return failed(request, path.length > 1 ? path.slice(0, -1) : path, error);
    }
    out.status = 200;
    out.contentType = TYPES[format];
    if (format === 'xml') out.charset = 'utf-8';
    if (!sendHeader(request)) return DONE;
    if (request.headerOnly) return OK;
    let entries: readonly DirectoryEntry[];
    try {
      entries = entriesOf(request, folder, names);
    } catch {
      return ERROR;
    }
    const text = listing(request, conf, format, callback, entries);
    request.sink.write(request, Buffer.from(text, 'latin1'), LAST | OWNED);
    return OK;
  };

export const autoindexModule = httpModule({
  name: 'http_autoindex',
  directives,
  phases: { content: (conf) => (conf.autoindex ? handler(conf) : undefined) },
});
