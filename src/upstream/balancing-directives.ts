/** The balancing methods that an `upstream` block has whatever the protocol. */
import { type Args, type Context, type Key, statement } from '../config/contract.ts';
import type { Template } from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { Block } from './block.ts';
import { consistentHash } from './consistent-hash.ts';
import type { Asker } from './contract.ts';
import type { Balance } from './group.ts';
import { invalidParameter } from './group-directives.ts';
import { hash } from './hash.ts';
import { leastConn } from './least-conn.ts';
import { random } from './random.ts';

/** Gives the block a method. `refuses`: parameters of `server` that do not go with it. */
export const chooseMethod = <R extends Asker>(
  args: Args,
  group: Block<R>,
  balance: Balance<R>,
  refuses: readonly string[],
): void => {
  if (group.method || group.sticky) args.warn('load balancing method redefined');
  if (group.sticky) group.sticky.around = undefined;
  group.method = { name: args.name, place: args.place, balance, refuses };
};

/** Whether the second word, if any, is the one that may stand there. Throws in nginx's words. */
export const hasSecond = (args: Args, word: string): boolean => {
  const second = args.words[1];
  if (second && second.text !== word) invalidParameter(args, second);
  return second !== undefined;
};

/**
 * `least_conn`, `random` and `hash` of the blocks called `child`, which carry their group under `upstream`; `template`
 * reads a value with variables.
 */
export const sharedMethods = <R extends Asker & Subject>(
  child: Context,
  upstream: Key<Block<R>>,
  template: (args: Args) => Template<R>,
) => {
  // A second method takes the place of the first, with a warning.
  const method = { in: [child], repeats: true } as const;
  return {
    least_conn: statement({
      ...method,
      arity: 'none',
      run: (args) => chooseMethod(args, args.scope.need(upstream), leastConn, []),
    }),
    random: statement({
      ...method,
      arity: [0, 1, 2],
      run(args) {
        const [first] = args.words;
        if (first && first.text !== 'two') invalidParameter(args, first);
        hasSecond(args, 'least_conn');
        chooseMethod(args, args.scope.need(upstream), random(first !== undefined), ['backup']);
      },
    }),
    hash: statement({
      ...method,
      arity: [1, 2],
      run(args) {
        const value = template(args);
        const balance = hasSecond(args, 'consistent') ? consistentHash(value) : hash(value);
        chooseMethod(args, args.scope.need(upstream), balance, ['backup']);
      },
    }),
  };
};
