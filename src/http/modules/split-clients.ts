/** `split_clients` (ngx_http_split_clients). */
import { splitClientsRows } from '../../values/split-clients.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';

export const splitClientsModule = httpModule({
  name: 'http_split_clients',
  directives: splitClientsRows('http', (scope) => scope.need(HTTP)),
});
