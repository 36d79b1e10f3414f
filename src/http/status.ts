/** Reason phrases and the texts of error pages (RFC 9110 section 15, and nginx's own 49x). */

const REASONS: Readonly<Record<number, string>> = {
  100: 'Continue',
  101: 'Switching Protocols',
  103: 'Early Hints',
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Moved Temporarily',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Not Allowed',
  406: 'Not Acceptable',
  407: 'Proxy Authentication Required',
  408: 'Request Time-out',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  414: 'Request-URI Too Large',
  415: 'Unsupported Media Type',
  416: 'Requested Range Not Satisfiable',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Temporarily Unavailable',
  504: 'Gateway Time-out',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
};

/** The titles of error pages where they are not the reason phrase. */
const TITLES: Readonly<Record<number, readonly [title: string, line?: string]>> = {
  302: ['302 Found'],
  401: ['401 Authorization Required'],
  414: ['414 Request-URI Too Large'],
  494: ['400 Request Header Or Cookie Too Large', 'Request Header Or Cookie Too Large'],
  495: ['400 The SSL certificate error', 'The SSL certificate error'],
  496: ['400 No required SSL certificate was sent', 'No required SSL certificate was sent'],
  497: ['400 The plain HTTP request was sent to HTTPS port', 'The plain HTTP request was sent to HTTPS port'],
};

/** `404 Not Found`; a number alone, and a space, for what has no phrase. */
const lines: string[] = [];
export const statusLine = (status: number): string => {
  const known = lines[status];
  if (known !== undefined) return known;
  const text = `${String(status).padStart(3, '0')} ${REASONS[status] ?? ''}`;
  if (status >= 0 && status < 1000) lines[status] = text;
  return text;
};

/** Statuses that have no page of their own: the reply's body is empty. */
const WITHOUT_PAGE = new Set([
  300, 304, 305, 306, 417, 418, 419, 420, 422, 423, 424, 425, 426, 427, 428, 499, 506,
]);

/** The body of an error page, or '' where nginx sends none. `program` signs it. */
export const errorPageBody = (status: number, program: string): string => {
  const pages =
    (status >= 301 && status <= 308) || (status >= 400 && status <= 429) || (status >= 494 && status <= 507);
  if (!pages || WITHOUT_PAGE.has(status)) return '';
  const known = status === 498 ? 404 : status;
  const [title, line] = TITLES[known] ?? [`${known} ${REASONS[known] ?? ''}`];
  const heading = line === undefined ? title : '400 Bad Request';
  const extra = line === undefined ? '' : `<center>${line}</center>\r\n`;
  return (
    `<html>\r\n<head><title>${title}</title></head>\r\n<body>\r\n<center><h1>${heading}</h1></center>\r\n${extra}` +
    `<hr><center>${program}</center>\r\n</body>\r\n</html>\r\n`
  );
};
