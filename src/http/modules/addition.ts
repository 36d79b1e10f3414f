/** `add_before_body` and `add_after_body`: replies of other locations around a body (ngx_http_addition_filter). */
import { type Context, directive } from '../../config/contract.ts';
import { str } from '../../config/parsers.ts';
import { forgetLength, weakenTag } from '../changed-body.ts';
import { appendFilter } from '../filter-chain.ts';
import { finalize } from '../finalize.ts';
import { hasType, type MimeTypes, mimeTypes, TEXT_HTML } from '../mime-types.ts';
import { httpModule } from '../module.ts';
import { type BodyFilter, type Data, LAST, NOTHING, NOWHERE, SYNC } from '../output.ts';
import type { Request } from '../request.ts';
import { IN_TURN, subrequest } from '../subrequest.ts';
import { ERROR } from '../verdict.ts';

const WHERE: readonly Context[] = ['http', 'server', 'location'];
const CONF = { output: IN_TURN } as const;

class AdditionFilter implements BodyFilter {
  next = NOWHERE;
  #begun = false;

  constructor(
    readonly before: string,
    readonly after: string,
  ) {}

  write(request: Request, bytes: Data, flags: number): void {
    if (request.headerOnly) {
      this.next.write(request, bytes, flags);
      return;
    }
    if (!this.#begun) {
      this.#begun = true;
      if (this.before !== '' && !this.#add(request, this.before)) return;
    }
    if ((flags & LAST) === 0 || this.after === '') {
      this.next.write(request, bytes, flags);
      return;
    }
    this.next.write(request, bytes, (flags & ~LAST) | SYNC);
    if (this.#add(request, this.after)) this.next.write(request, NOTHING, LAST);
  }

  #add(request: Request, uri: string): boolean {
    if (subrequest(request, uri, '', CONF)) return true;
    finalize(request, ERROR);
    return false;
  }
}

export const additionModule = httpModule({
  name: 'http_addition_filter',
  directives: {
    add_before_body: directive(str, { in: WHERE, initial: '' }),
    add_after_body: directive(str, { in: WHERE, initial: '' }),
    addition_types: directive<MimeTypes>(mimeTypes, {
      in: WHERE,
      initial: TEXT_HTML,
    }),
  },
  headerFilter(conf) {
    const { add_before_body: before, add_after_body: after, addition_types: types } = conf;
    if (before === '' && after === '') return undefined;
    return (request) => {
      const { out } = request;
      if (out.status !== 200 || !hasType(types, out)) return;
      forgetLength(out);
      weakenTag(out);
      appendFilter(request, new AdditionFilter(before, after));
    };
  },
});
