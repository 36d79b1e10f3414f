/** The command line, as nginx reads it: letters may be joined, and a value may follow at once or as the next word. */

export const SIGNALS = ['stop', 'quit', 'reopen', 'reload'] as const;
export type ControlSignal = (typeof SIGNALS)[number];

export interface Options {
  readonly help: boolean;
  readonly version: boolean;
  /** `-V` */
  readonly configure: boolean;
  readonly test: boolean;
  /** `-T` */
  readonly dump: boolean;
  readonly quiet: boolean;
  readonly signal: ControlSignal | undefined;
  readonly prefix: string | undefined;
  readonly errorLog: string | undefined;
  readonly conf: string | undefined;
  readonly globals: string | undefined;
}

/** The command line is wrong; the message is nginx's. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const WANTS: Readonly<Record<string, string>> = {
  p: 'directory name',
  e: 'file name',
  c: 'file name',
  g: 'parameter',
  s: 'parameter',
};

const NONE = {
  help: false,
  version: false,
  configure: false,
  test: false,
  dump: false,
  quiet: false,
} as const;

/** What a letter without a value turns on. */
const SWITCHES: Readonly<Record<string, Partial<Record<keyof typeof NONE, true>>>> = {
  '?': { help: true, version: true },
  h: { help: true, version: true },
  v: { version: true },
  V: { version: true, configure: true },
  t: { test: true },
  T: { test: true, dump: true },
  q: { quiet: true },
};

const signalOf = (name: string | undefined): ControlSignal | undefined => {
  if (name === undefined) return undefined;
  const signal = SIGNALS.find((known) => known === name);
  if (signal === undefined) throw new UsageError(`invalid option: "-s ${name}"`);
  return signal;
};

/** Reads the words behind the program's name. Throws UsageError. */
export const parseArguments = (words: readonly string[]): Options => {
  let switches: Record<keyof typeof NONE, boolean> = { ...NONE };
  const values: Record<string, string> = {};
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? '';
    if (!word.startsWith('-')) throw new UsageError(`invalid option: "${word}"`);
    for (let at = 1; at < word.length; at++) {
      const letter = word[at] ?? '';
      const wanted = WANTS[letter];
      const switched = SWITCHES[letter];
      if (switched) switches = { ...switches, ...switched };
      else if (wanted === undefined) throw new UsageError(`invalid option: "${letter}"`);
      else {
        const value = at + 1 < word.length ? word.slice(at + 1) : words[++index];
        if (value === undefined) throw new UsageError(`option "-${letter}" requires ${wanted}`);
        if (letter === 's') signalOf(value);
        values[letter] = value;
        break;
      }
    }
  }
  return {
    ...switches,
    signal: signalOf(values.s),
    prefix: values.p,
    errorLog: values.e,
    conf: values.c,
    globals: values.g,
  };
};
