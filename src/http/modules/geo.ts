/** `geo`: by the client's address, behind proxies that are trusted by that of X-Forwarded-For (ngx_http_geo). */
import { geoRows } from '../../values/geo.ts';
import { isTrusted } from '../../values/trusted.ts';
import { HTTP } from '../build.ts';
import { httpModule } from '../module.ts';
import { forwardedAddress } from './forwarded.ts';

export const geoModule = httpModule({
  name: 'http_geo',
  directives: geoRows('http', (scope) => scope.need(HTTP), {
    address: ({ stream }) => (stream.unix ? '' : stream.remoteAddress),
    forwarded({ headers: { names, values } }, address, proxies, recursive) {
      const lines = values.filter((_, index) => names[index]?.lower === 'x-forwarded-for');
      const trusted = isTrusted(address, proxies);
      return forwardedAddress(trusted, lines, proxies, recursive)?.bytes ?? address;
    },
  }),
});
