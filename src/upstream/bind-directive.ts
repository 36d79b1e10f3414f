/** The value of `proxy_bind` and its like. */
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Args } from '../config/contract.ts';
import { transparentKey } from '../process/contract.ts';
import type { Template } from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { LocalAddress } from './contract.ts';

/** A numeric address, v6 with brackets where a port follows. */
const isAddress = (text: string): boolean => {
  if (isIP(text) > 0) return true;
  const [, v4 = '', v6 = '', port = '1'] = /^(?:([\d.]+)|\[([^\]]+)\])(?::(\d+))?$/.exec(text) ?? [];
  return (isIPv4(v4) || isIPv6(v6)) && Number(port) >= 1 && Number(port) <= 65535;
};

/** `ADDRESS [transparent]`; the latter is for addresses that are not this machine's. Throws in nginx's words. */
export const readBind = <R extends Subject>(
  args: Args,
  template: (text: string) => Template<R>,
): LocalAddress<R> | 'off' => {
  const [address, parameter] = args.words;
  if (address?.text === 'off' && !parameter) return 'off';
  const value = template(address?.text ?? '');
  if (value.constant !== undefined && !isAddress(value.constant)) {
    args.fail(`invalid address "${value.constant}"`, address);
  }
  const transparent = parameter?.text === 'transparent';
  if (parameter && !transparent) args.fail(`invalid parameter "${parameter.text}"`, parameter);
  if (transparent) {
    let top = args.scope;
    while (top.parent) top = top.parent;
    top.carry(transparentKey, true);
  }
  return { address: value, transparent };
};
