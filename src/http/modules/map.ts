/** `map` (ngx_http_map). */
import { mapRows } from '../../values/map.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';

export const mapModule = httpModule({
  name: 'http_map',
  directives: mapRows('http', (scope) => scope.need(HTTP)),
});
