/** `mp4`: films from any time to any time on, `?start=` and `?end=` in seconds (ngx_http_mp4). */
import { type Conf, type Context, directive } from '../../config/contract.ts';
import { flag, size } from '../../config/parsers.ts';
import { CRIT, ERROR } from '../../log/levels.ts';
import { errorText } from '../../platform/errno.ts';
import { type Handler, httpModule } from '../module.ts';
import type { OpenFile } from '../open-file.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Verdict } from '../verdict.ts';
import { ownHandler } from './flv.ts';
import { argumentValue } from './header-value.ts';
import { type Cut, cutFilm } from './mp4-cut.ts';
import { Mp4File } from './mp4-file.ts';
import { Mp4Fault } from './mp4-track.ts';
import { sendFile, sendPart } from './static.ts';
import { videoHandler } from './video.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];

const directives = {
  mp4: ownHandler(),
  mp4_buffer_size: directive(size, { in: WHERE, initial: 512 * 1024 }),
  mp4_max_buffer_size: directive(size, { in: WHERE, initial: 10 * 1024 * 1024 }),
  mp4_start_key_frame: directive(flag, { in: WHERE, initial: false }),
};
type Mp4Conf = Conf<typeof directives>;

/** Milliseconds out of an argument in seconds; digits behind the third are left out. -1 for what is no number. */
const milliseconds = (text: string | undefined): number => {
  const match = /^(\d*)(?:\.(\d*))?$/.exec(text ?? '');
  if (text === undefined || text === '' || !match) return -1;
  const [, whole = '', fraction = ''] = match;
  const value = Number(`${whole}${fraction.slice(0, 3).padEnd(3, '0')}`);
  return Number.isSafeInteger(value) ? value : -1;
};

/** The piece of a film that is asked for; undefined: all of it. */
const timesOf = (args: string): { readonly start: number; readonly length: number } | undefined => {
  if (args === '') return undefined;
  const start = milliseconds(argumentValue(args, 'start'));
  const end = milliseconds(argumentValue(args, 'end'));
  if (end <= 0) return start < 0 ? undefined : { start, length: 0 };
  const from = Math.max(0, start);
  return { start: from, length: Math.max(0, end - from) };
};

/** The piece; undefined where all is sent as it is, a status, logged, where the file can't be cut. */
const cut = (
  request: Request,
  file: OpenFile,
  conf: Mp4Conf,
  start: number,
  length: number,
): Cut | undefined | number => {
  const { path, stat } = file;
  const job = { path, end: stat.size, start, length, keyFrame: conf.mp4_start_key_frame };
  try {
    return cutFilm(new Mp4File(file.descriptor(), job, conf.mp4_buffer_size, conf.mp4_max_buffer_size));
  } catch (error) {
    if (error instanceof Mp4Fault) logRequest(request, ERROR, error.message);
    else if (error instanceof RangeError) logRequest(request, ERROR, `"${path}" mp4 file truncated`);
    else logRequest(request, CRIT, `pread() "${path}" failed (${errorText(error)})`);
    return 500;
  }
};

const send = (request: Request, file: OpenFile, conf: Mp4Conf): Verdict => {
  const times = timesOf(request.args);
  if (!times) return sendFile(request, file);
  const found = cut(request, file, conf, times.start, times.length);
  if (typeof found === 'number') {
    file.close();
    return found;
  }
  request.out.singleRange = true;
  if (!found) return sendFile(request, file);
  return sendPart(request, file, { before: found.head, start: found.start, end: found.end });
};

const handler = (conf: Mp4Conf): Handler => videoHandler((request, file) => send(request, file, conf));

export const mp4Module = httpModule({
  name: 'http_mp4',
  directives,
  content: (conf) => (conf.mp4 ? handler(conf) : undefined),
});
