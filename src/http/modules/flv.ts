/** `flv`: Flash videos from any byte on, `?start=` (ngx_http_flv). */
import { type Directive, directive, type Parser } from '../../config/contract.ts';
import { httpModule } from '../module.ts';
import { argumentValue } from './header-value.ts';
import { sendFile, sendPart } from './static.ts';
import { videoHandler } from './video.ts';

/** The head of a file that has sound and pictures. */
const HEAD = Buffer.from('FLV\x01\x05\0\0\0\x09\0\0\0\0', 'latin1');

const alone: Parser<boolean> = { arity: 'none', repeats: true, parse: () => true };

/** A directive that makes its module answer for a location, and not for those in it. */
export const ownHandler = (): Directive<boolean> =>
  directive<boolean>(alone, { in: ['location'], initial: false, merge: (own) => own ?? false });

/** The byte that is asked for; 0 when it is none of the file's. */
const startOf = (args: string, size: number): number => {
  const text = args === '' ? undefined : argumentValue(args, 'start');
  const start = text !== undefined && /^\d+$/.test(text) ? Number(text) : 0;
  return start < size ? start : 0;
};

const handler = videoHandler((request, file) => {
  const { size } = file.stat;
  const start = startOf(request.args, size);
  return start === 0 ? sendFile(request, file) : sendPart(request, file, { before: HEAD, start, end: size });
});

export const flvModule = httpModule({
  name: 'http_flv',
  directives: { flv: ownHandler() },
  content: ({ flv }) => (flv ? handler : undefined),
});
