/** What nginx checks beyond a plain value in the directives of accepted.ts. The value itself is read before. */
import type { Args } from './contract.ts';
import { parseNumber, parseSize } from './numbers.ts';
import { checkPool, wordAt } from './parsers.ts';

type Check = (args: Args) => void;

const isCount = (text: string): boolean => parseNumber(text) !== undefined;

const pool: Check = (args) => checkPool(args, parseSize(wordAt(args, 0).text) ?? 0);

const invalidValue = (args: Args): never => args.failDirective('invalid value', args.words[0]);

/** A size that is one of `powers`, written as nginx lists them. */
const oneOf =
  (powers: readonly string[]): Check =>
  (args) => {
    const bytes = parseSize(wordAt(args, 0).text);
    if (bytes === undefined) invalidValue(args);
    if (powers.some((power) => parseSize(power) === bytes)) return;
    args.failDirective(`must be ${powers.slice(0, -1).join(', ')}, or ${powers.at(-1)}`, args.words[0]);
  };

/** Waiting for room in a socket is only there on FreeBSD. */
const lowat =
  (directive: string): Check =>
  (args) =>
    args.warn(`"${directive}" is not supported, ignored`);

/** By directive. */
export const CHECKS: Readonly<Record<string, Check>> = {
  aio(args) {
    if (!/^(?:on|off|threads(?:=[\s\S]+)?)$/.test(wordAt(args, 0).text)) invalidValue(args);
  },
  directio(args) {
    const { text } = wordAt(args, 0);
    if (text !== 'off' && parseSize(text) === undefined) invalidValue(args);
  },
  fastcgi_send_lowat: lowat('fastcgi_send_lowat'),
  gzip_hash: oneOf(['512', '1k', '2k', '4k', '8k', '16k', '32k', '64k', '128k']),
  gzip_window: oneOf(['512', '1k', '2k', '4k', '8k', '16k', '32k']),
  http2_pool_size: pool,
  proxy_send_lowat: lowat('proxy_send_lowat'),
  request_pool_size: pool,
  send_lowat: lowat('send_lowat'),
  thread_pool(args) {
    const fault = args.words.slice(1).find(({ text }) => !/^(?:threads|max_queue)=[0-9]+$/.test(text));
    if (fault) args.fail(`invalid parameter "${fault.text}"`, fault);
  },
  tunnel_send_lowat: lowat('tunnel_send_lowat'),
  use(args) {
    const word = wordAt(args, 0);
    if (!['epoll', 'poll', 'select'].includes(word.text))
      args.fail(`invalid event type "${word.text}"`, word);
  },
  worker_cpu_affinity(args) {
    for (const word of args.texts[0] === 'auto' ? args.words.slice(1) : args.words) {
      const character = /[^01 ](?=[01 ]*$)/.exec(word.text)?.[0];
      if (character) args.fail(`invalid character "${character}" in "worker_cpu_affinity"`, word);
    }
  },
  worker_priority(args) {
    const word = wordAt(args, 0);
    if (!isCount(word.text.replace(/^[-+]/, ''))) args.failDirective('invalid number', word);
  },
};
