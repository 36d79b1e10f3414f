/** `set` of stream: variables that a server gives its sessions (ngx_stream_set). */
import { directive, type Parser } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import type { Template } from '../../values/template.ts';
import { STREAM } from '../build.ts';
import { type Handler, streamModule } from '../module.ts';
import type { Session } from '../session.ts';
import { DECLINED } from '../verdict.ts';

interface Assignment {
  readonly slot: number;
  readonly value: Template<Session>;
}

/** What a variable gives where no `set` has run. */
const unset = { get: (): string => '' };

const assignments: Parser<readonly Assignment[]> = {
  arity: 2,
  repeats: true,
  parse(args, own = []) {
    const [name, value] = [wordAt(args, 0), wordAt(args, 1)];
    if (name.text.length < 2 || !name.text.startsWith('$'))
      args.fail(`invalid variable name "${name.text}"`, name);
    const build = args.scope.need(STREAM);
    const { slot } = build.variables.settable(name.text.slice(1), args.place, unset);
    return [...own, { slot, value: build.template(value.text, args.place) }];
  },
};

const handler =
  (list: readonly Assignment[]): Handler =>
  (session) => {
    for (const { slot, value } of list) session.values[slot] = value.text(session);
    return DECLINED;
  };

export const setModule = streamModule({
  name: 'stream_set',
  directives: { set: directive<readonly Assignment[]>(assignments, { in: ['stream-server'], initial: [] }) },
  phases: { preaccess: ({ set }) => (set.length > 0 ? handler(set) : undefined) },
});
