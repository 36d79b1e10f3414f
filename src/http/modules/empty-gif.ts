/** `empty_gif`: a transparent picture of one pixel (ngx_http_empty_gif). */
import { directive } from '../../config/contract.ts';
import { httpModule } from '../module.ts';
import type { Request } from '../request.ts';
import type { Verdict } from '../verdict.ts';
import { sendBytes } from './send-text.ts';

/** GIF89a: a screen of one pixel, two colours, which of them is transparent, the image, the end. */
const PARTS = [
  '474946383961',
  '01000100800100',
  '000000ffffff',
  '21f9040100000100',
  '2c000000000100010000',
  '02024c0100',
  '3b',
];
const PIXEL = Buffer.from(PARTS.join(''), 'hex');
/** 28 September 1970, 06:00:00. */
const MODIFIED = 23349600;

const serve = (request: Request): Verdict => {
  const { method, out } = request;
  if (method !== 'GET' && method !== 'HEAD') return 405;
  out.status = 200;
  out.contentLength = PIXEL.length;
  out.contentType = 'image/gif';
  out.lastModified = MODIFIED;
  return sendBytes(request, PIXEL);
};

export const emptyGifModule = httpModule({
  name: 'http_empty_gif',
  directives: {
    empty_gif: directive<boolean>(
      { arity: 'none', parse: () => true },
      { in: ['location'], initial: false, merge: (own) => own ?? false },
    ),
  },
  content: ({ empty_gif: on }) => (on ? serve : undefined),
});
