/** `allow` and `deny` of stream: who may come in, by address (ngx_stream_access). */
import { directive } from '../../config/contract.ts';
import { ERROR } from '../../log/levels.ts';
import { accessRules, type Rule, ruleFinder } from '../../values/access-rules.ts';
import { type Handler, streamModule } from '../module.ts';
import { DECLINED, FORBIDDEN, OK } from '../verdict.ts';

const handler = (list: readonly Rule[]): Handler => {
  const find = ruleFinder(list);
  return (session) => {
    const rule = find(session.unix, session.remoteAddress);
    if (!rule) return DECLINED;
    if (!rule.deny) return OK;
    session.log(ERROR, 'access forbidden by rule');
    return FORBIDDEN;
  };
};

export const accessModule = streamModule({
  name: 'stream_access',
  directives: {
    rules: directive<readonly Rule[]>(accessRules, {
      in: ['stream', 'stream-server'],
      names: ['allow', 'deny'],
      initial: [],
    }),
  },
  phases: { access: ({ rules: list }) => (list.length > 0 ? handler(list) : undefined) },
});
