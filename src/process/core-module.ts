/** The directives of the main block that decide how processes run. */
import { availableParallelism } from 'node:os';
import { type Args, defineModule, directive, type Parser, statement } from '../config/contract.ts';
import { parseNumber } from '../config/numbers.ts';
import { absolute, flag, msec, num, offset, str, strings, wordAt } from '../config/parsers.ts';
import { groupByName, userByName } from '../platform/accounts.ts';
import { LibcMissing } from '../platform/libc.ts';
import { loadModuleReason } from './load-module.ts';
import type { User } from './user.ts';
import { isRoot } from './user.ts';

const main = ['main'] as const;

const workerProcesses: Parser<number> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    if (word.text === 'auto') return availableParallelism();
    return parseNumber(word.text) ?? args.failDirective('invalid value', word);
  },
};

/** Where the system's databases cannot be asked, the statement is what says so. */
const lookUp = <T>(args: Args, ask: () => T): T => {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof LibcMissing)) throw error;
    return args.fail(error.message);
  }
};

/** `user NAME [GROUP]`: the ids are looked up at once, as nginx does. */
const user: Parser<User | undefined> = {
  arity: [1, 2],
  parse(args) {
    if (!isRoot()) {
      args.warn(
        'the "user" directive makes sense only if the master process runs with super-user privileges, ignored',
      );
      return undefined;
    }
    const name = wordAt(args, 0);
    const found = lookUp(args, () => userByName(name.text));
    if (found === undefined) return args.fail(`getpwnam("${name.text}") failed`, name);
    const group = args.words[1] ?? name;
    const gid = lookUp(args, () => groupByName(group.text));
    if (gid === undefined) return args.fail(`getgrnam("${group.text}") failed`, group);
    return { name: name.text, uid: found.uid, gid };
  },
};

const workerPriority: Parser<number> = {
  arity: 1,
  parse(args) {
    const word = wordAt(args, 0);
    const minus = word.text.startsWith('-');
    const value = parseNumber(word.text.replace(/^[-+]/, ''));
    if (value === undefined) return args.failDirective('invalid number', word);
    return minus ? -value : value;
  },
};

/** A path against the prefix. */
const prefixed: Parser<string | undefined> = {
  arity: 1,
  parse: (args) => absolute(args.scope.load.prefix, wordAt(args, 0).text),
};

export const coreModule = defineModule({
  name: 'core',
  directives: {
    daemon: directive(flag, { in: main, initial: true }),
    master_process: directive(flag, { in: main, initial: true }),
    worker_processes: directive(workerProcesses, { in: main, initial: 1 }),
    user: directive(user, { in: main, initial: undefined }),
    pid: directive(prefixed, { in: main, initial: undefined }),
    worker_rlimit_nofile: directive<number | undefined>(num(), { in: main, initial: undefined }),
    worker_rlimit_core: directive<number | undefined>(offset, { in: main, initial: undefined }),
    worker_priority: directive(workerPriority, { in: main, initial: 0 }),
    worker_shutdown_timeout: directive(msec, { in: main, initial: 0 }),
    working_directory: directive<string | undefined>(str, { in: main, initial: undefined }),
    ssl_object_cache_inheritable: directive(flag, { in: main, initial: true }),
    env: directive(strings, { in: main, initial: [] }),
    load_module: statement({
      in: main,
      arity: 1,
      repeats: true,
      run(args) {
        args.fail(loadModuleReason(wordAt(args, 0).text), args.words[0]);
      },
    }),
  },
});
