/** `split_clients` of stream (ngx_stream_split_clients). */
import { splitClientsRows } from '../../values/split-clients.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';

export const splitClientsModule = streamModule({
  name: 'stream_split_clients',
  directives: splitClientsRows('stream', (scope) => scope.need(STREAM)),
});
