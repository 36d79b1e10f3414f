/** SSI commands that have been read: pages hold the same ones again and again. */
import { textBetween } from '../../net/latin1.ts';

/** A command as it stands in a page. It does not change, and may serve several pages. */
export interface SsiCommand {
  readonly name: string;
  readonly params: readonly (readonly [name: string, value: string])[];
  /** The parameters by name, once they have been found to be what the command takes. */
  given: ReadonlyMap<string, string> | undefined;
}

const MOST = 1000;
const LONGEST = 512;
const DASH = 0x2d;
const GT = 0x3e;

/** What stands from `from` up to the first `-->`, that included; '' when that is not there, or far away. */
export const commandText = (bytes: Uint8Array, from: number): string => {
  const end = Math.min(bytes.length, from + LONGEST);
  for (let at = from + 2; at < end; at++) {
    if (bytes[at] === GT && bytes[at - 1] === DASH && bytes[at - 2] === DASH) {
      return textBetween(bytes, from, at + 1);
    }
  }
  return '';
};

interface Kept {
  readonly command: SsiCommand;
  /** Characters of its longest value. */
  readonly longest: number;
}

/** One for each process. */
class CommandMemory {
  readonly #kept = new Map<string, Kept>();

  /** The command that a scanner would read of `text`, where values have at most that many characters. */
  find(text: string, valueLength: number): SsiCommand | undefined {
    const kept = this.#kept.get(text);
    return kept && kept.longest <= valueLength ? kept.command : undefined;
  }

  keep(text: string, command: SsiCommand): void {
    if (this.#kept.size >= MOST) this.#kept.clear();
    const longest = command.params.reduce((most, [, value]) => Math.max(most, value.length), 0);
    this.#kept.set(text, { command, longest });
  }
}

export const commandMemory = new CommandMemory();
