/** `geo` of stream (ngx_stream_geo). */
import { geoRows } from '../../values/geo.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';

export const geoModule = streamModule({
  name: 'stream_geo',
  directives: geoRows('stream', (scope) => scope.need(STREAM), {
    address: ({ unix, remoteAddress }) => (unix ? '' : remoteAddress),
  }),
});
