/** What stands in an `upstream` block whatever the protocol: `server`, `zone`. */
import type { Args, Place } from '../config/contract.ts';
import { parseNumber, parseSec, parseSize } from '../config/numbers.ts';
import { wordAt } from '../config/parsers.ts';
import { Reason } from '../config/reason.ts';
import { zonesOf } from '../zone/zones.ts';
import { parseAddress } from './address.ts';
import type { Block } from './block.ts';
import type { Asker } from './contract.ts';
import { PLAIN_SERVER } from './peers.ts';

/** As long as the digest that stands in its place. */
const LONGEST_ROUTE = 32;
const PAGE = 4096;
/** Pages that nginx wants at least. */
const LEAST_PAGES = 8;

export const invalidParameter = (args: Args, at: Place & { readonly text: string }): never =>
  args.fail(`invalid parameter "${at.text}"`, at);

/** Reads a `server` line into its group. Throws in nginx's words. */
export const readServer = <R extends Asker>(args: Args, group: Block<R>): void => {
  const { port: defaultPort, keeps } = group.rules;
  let { weight, maxConns, maxFails, failTimeout, down, draining, route } = PLAIN_SERVER;
  let backup = false;
  let resolve = false;
  let service = '';
  for (const word of args.words.slice(1)) {
    const [, name = '', value] = /^([a-z_]+)(?:=(.*))?$/s.exec(word.text) ?? [];
    const number = value === undefined ? undefined : parseNumber(value);
    const parameter = value === undefined ? name : `${name}=`;
    if (group.method?.refuses.includes(parameter)) {
      args.fail(`balancing method does not support parameter "${word.text}"`, word);
    }
    if (parameter === 'weight=' && number !== undefined && number > 0) weight = number;
    else if (parameter === 'max_conns=' && number !== undefined) maxConns = number;
    else if (parameter === 'max_fails=' && number !== undefined) maxFails = number;
    else if (parameter === 'fail_timeout=' && parseSec(value ?? '') !== undefined) {
      failTimeout = parseSec(value ?? '') ?? failTimeout;
    } else if (parameter === 'backup') backup = true;
    else if (parameter === 'down' || (keeps && parameter === 'drain')) {
      down = true;
      draining = parameter === 'drain';
    } else if (keeps && parameter === 'route=') {
      route = value ?? '';
      if (route === '') args.fail('route is empty', word);
      if (route.length > LONGEST_ROUTE) args.fail(`route is longer than ${LONGEST_ROUTE}`, word);
    } else if (parameter === 'resolve') resolve = true;
    else if (parameter === 'service=') {
      if (value === '') args.fail('service is empty', word);
      service = value ?? '';
    } else invalidParameter(args, word);
  }
  const { place } = args;
  const address = wordAt(args, 0);
  const { text } = address;
  if (service !== '' && !resolve) {
    args.fail(`service upstream "${text}" requires "resolve" parameter`, address);
  }
  const settings = { weight, maxConns, maxFails, failTimeout, down, draining, route };
  try {
    const { kind, host, port, noPort } = parseAddress(text, defaultPort);
    if (noPort && defaultPort === 0 && kind !== 'unix' && service === '') {
      args.fail(`no port in upstream "${text}"`, address);
    }
    if (service !== '' && !noPort) args.fail(`service upstream "${text}" may not have port`, address);
    if (service !== '' && kind !== 'name')
      args.fail(`service upstream "${text}" requires domain name`, address);
    const line = resolve && kind === 'name' ? { text, host, port, service, settings, backup } : undefined;
    const targets = line ? [] : group.targets(text);
    group.servers.push({ text, targets, settings, backup, place, line });
  } catch (error) {
    if (!(error instanceof Reason)) throw error;
    args.fail(`${error.message} in upstream "${text}"`, address);
  }
};

/** Reads a `zone`, whose memory other protocols can't have. Throws in nginx's words. */
export const readZone = <R extends Asker>(args: Args, group: Block<R>, owner: string): void => {
  const name = wordAt(args, 0);
  if (name.text === '') args.fail(`invalid zone name "${name.text}"`, name);
  const second = args.words[1];
  const bytes = second ? (parseSize(second.text) ?? 0) : 0;
  if (second && bytes === 0) args.fail(`invalid zone size "${second.text}"`, second);
  if (second && bytes < LEAST_PAGES * PAGE) args.fail(`zone "${name.text}" is too small`, name);
  const fail = (reason: string): never => args.fail(reason, name);
  group.zone = zonesOf(args.scope).declare(name.text, bytes, owner, fail, { fresh: true });
};
