/** `map` of stream (ngx_stream_map). */
import { mapRows } from '../../values/map.ts';
import { STREAM } from '../build.ts';
import { streamModule } from '../module.ts';

export const mapModule = streamModule({
  name: 'stream_map',
  directives: mapRows('stream', (scope) => scope.need(STREAM)),
});
