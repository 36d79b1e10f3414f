/** `fastcgi_pass`: the responders that a location's requests go to, fixed or made of variables. */
import type { Parser, Scope } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import { Reason } from '../../config/reason.ts';
import { ERROR } from '../../log/levels.ts';
import { type Address, parseAddress } from '../../upstream/address.ts';
import type { PeerGroup } from '../../upstream/contract.ts';
import { nameGroup } from '../../upstream/name-group.ts';
import type { GroupRef, UpstreamRegistry } from '../../upstream/registry.ts';
import { HTTP } from '../build.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Template } from '../template.ts';

export interface Pass {
  /** The block it stands in. */
  readonly scope: Scope;
  readonly template: Template;
  /** Undefined when the address holds variables. */
  readonly ref: GroupRef | undefined;
}

/** A prefix location that ends in a slash then answers `/x` with a redirect to `/x/`. */
export const fastcgiPass: Parser<Pass | undefined> = {
  arity: 1,
  parse(args) {
    const { scope, place } = args;
    const build = scope.need(HTTP);
    const address = wordAt(args, 0).text;
    const location = build.locations.get(scope);
    if (location?.name.endsWith('/')) location.autoRedirect = true;
    const template = build.template(address, place);
    const ref = address.includes('$') ? undefined : build.upstreams.use(address, 0, place);
    return { scope, template, ref };
  },
};

/**
 * The group that an address made of variables means: an upstream block by its name, or a numeric address or unix
 * socket. A status when there is none, after the reason has been logged.
 */
export const groupAt = (
  request: Request,
  text: string,
  upstreams: UpstreamRegistry,
  /** At which an address that is none is logged. */
  level = ERROR,
): PeerGroup | number => {
  let address: Address;
  try {
    address = parseAddress(text, 0);
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    logRequest(request, level, `${error.message} in upstream "${text}"`);
    return 500;
  }
  const group = address.kind === 'unix' ? undefined : upstreams.find(address.host);
  if (group && address.noPort) return group;
  if (address.kind !== 'unix' && address.port === 0) {
    logRequest(request, ERROR, `no port in upstream "${address.host}"`);
    return 500;
  }
  if (address.kind === 'name') {
    const named =
      upstreams.find(`${address.host}:${address.port}`) ?? nameGroup(request, address.host, address.port);
    if (named) return named;
    logRequest(request, ERROR, `no resolver defined to resolve ${address.host}`);
    return 502;
  }
  return upstreams.direct(text);
};
