/** `allow` and `deny`: who may come in, by address; the first rule that fits decides (ngx_http_access). */
import { directive } from '../../config/contract.ts';
import { ERROR } from '../../log/levels.ts';
import { accessRules, type Rule, ruleFinder } from '../../values/access-rules.ts';
import { type Handler, httpModule } from '../module.ts';
import { logRequest } from '../request-log.ts';
import { DECLINED, OK } from '../verdict.ts';

const handler = (list: readonly Rule[]): Handler => {
  const find = ruleFinder(list);
  return (request) => {
    const { stream } = request;
    const rule = find(stream.unix, stream.remoteAddress);
    if (!rule) return DECLINED;
    if (!rule.deny) return OK;
    if (request.location.core.satisfy === 'all') logRequest(request, ERROR, 'access forbidden by rule');
    return 403;
  };
};

export const accessModule = httpModule({
  name: 'http_access',
  directives: {
    rules: directive<readonly Rule[]>(accessRules, {
      in: ['http', 'server', 'location', 'limit_except'],
      names: ['allow', 'deny'],
      initial: [],
    }),
  },
  phases: { access: ({ rules: list }) => (list.length > 0 ? handler(list) : undefined) },
});
