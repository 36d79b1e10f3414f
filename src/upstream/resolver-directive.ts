/** `resolver ADDRESS... [valid=TIME] [ipv4=on|off] [ipv6=on|off]`: the name servers that are asked at run time. */
import type { Args } from '../config/contract.ts';
import { parseSec } from '../config/numbers.ts';
import { Reason } from '../config/reason.ts';
import type { ServerAddress } from '../net/name-server.ts';
import { Resolver } from '../net/resolver.ts';
import { directTarget, numericTarget, parseAddress } from './address.ts';

const DOMAIN_PORT = 53;

/** The addresses of a name server that may be given by name. Throws Reason in nginx's words. */
const serversAt = (args: Args, text: string): readonly ServerAddress[] => {
  const address = parseAddress(text, DOMAIN_PORT);
  const { host, port, kind } = address;
  if (kind === 'unix') throw new Reason('invalid host');
  if (kind === 'numeric')
    return [{ host: host.replace(/^\[|\]$/g, ''), port, name: directTarget(address).name }];
  const found = args.scope.load.addresses(host);
  if (found.length === 0) throw new Reason('host not found');
  return found.map((one) => ({ host: one, port, name: numericTarget(one, port).name }));
};

/** The value of a `resolver`: one of its own for each directive. */
export const readResolver = (args: Args): Resolver => {
  const servers: ServerAddress[] = [];
  let valid = 0;
  const families = { ipv4: true, ipv6: true };
  for (const word of args.words) {
    const [, name, value = ''] = /^(valid|ipv4|ipv6)=(.*)$/s.exec(word.text) ?? [];
    const invalid = (): never => args.fail(`invalid parameter: ${word.text}`, word);
    if (name === 'valid') {
      valid = parseSec(value) ?? invalid();
    } else if (name === 'ipv4' || name === 'ipv6') {
      if (value !== 'on' && value !== 'off') invalid();
      families[name] = value === 'on';
    } else {
      try {
        servers.push(...serversAt(args, word.text));
      } catch (error) {
        if (!(error instanceof Reason)) throw error;
        args.fail(`${error.message} in resolver "${word.text}"`, word);
      }
    }
  }
  if (!families.ipv4 && !families.ipv6) args.fail('"ipv4" and "ipv6" cannot both be "off"');
  if (servers.length === 0) args.fail('no name servers defined');
  return new Resolver({ servers, valid, ...families });
};
