/** The static table of HPACK (RFC 7541 appendix A). */
import { Field } from './field.ts';

const NAMES_AND_VALUES: readonly (readonly [name: string, ...values: string[]])[] = [
  [':authority', ''],
  [':method', 'GET', 'POST'],
  [':path', '/', '/index.html'],
  [':scheme', 'http', 'https'],
  [':status', '200', '204', '206', '304', '400', '404', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ...(
    'accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control ' +
    'content-disposition content-encoding content-language content-length content-location content-range ' +
    'content-type cookie date etag expect expires from host if-match if-modified-since if-none-match if-range ' +
    'if-unmodified-since last-modified link location max-forwards proxy-authenticate proxy-authorization range ' +
    'referer refresh retry-after server set-cookie strict-transport-security transfer-encoding user-agent vary ' +
    'via www-authenticate'
  )
    .split(' ')
    .map((name): readonly [string, string] => [name, '']),
];

/** By index; nothing stands at 0. */
export const STATIC: readonly (Field | undefined)[] = [
  undefined,
  ...NAMES_AND_VALUES.flatMap(([name, ...values]) => values.map((value) => Field.of(name, value))),
];

/** The first index of each name. */
export const STATIC_NAMES: ReadonlyMap<string, number> = new Map(
  STATIC.map((field, index): [string, number] => [field?.name.text ?? '', index]).reverse(),
);
