/** Finds SSI commands in a body that comes in pieces. */
import { commandMemory, commandText, type SsiCommand } from './ssi-command.ts';

/** The limits of nginx's parser. */
const COMMAND_LENGTH = 32;
const PARAM_LENGTH = 32;

const OPENING = '<!--#';
const LT = 0x3c;

/** A command while it is read. */
interface Building extends SsiCommand {
  name: string;
  readonly params: [name: string, value: string][];
}
const noCommand = (): Building => ({ name: '', params: [], given: undefined });
const NO_COMMAND = noCommand();

/** What `next` has found. */
/** The bytes of the piece between `from` and `to`. */
export const TEXT = 1;
/** The first `held` characters of `<!--`, from the end of an earlier piece, are text after all. */
export const HELD = 2;
/** `command` is complete. */
export const COMMAND = 3;
/** A command that is none, up to its end; `onError` has been told why. */
export const MALFORMED = 4;
/** The piece is used up. */
export const END = 5;

const BLANK = ' \r\n\t';

type State = (scanner: SsiScanner, char: string) => State;

export class SsiScanner {
  position = 0;
  from = 0;
  to = 0;
  held = 0;
  command: SsiCommand = NO_COMMAND;
  /** The one that is being read. */
  building: Building = NO_COMMAND;
  /** How much of `<!--#` has been seen. */
  #matched = 0;
  /** Inside of a command: what the next character is for. */
  #state: State | undefined = undefined;

  constructor(
    /** The longest value of a parameter (`ssi_value_length`). */
    readonly valueLength: number,
    /** Is told what is wrong with a command. */
    readonly onError: (reason: string) => void,
  ) {}

  /** Looks at `bytes` from `position` on. */
  next(bytes: Uint8Array): number {
    if (this.#state) return this.#inCommand(bytes, this.#state);
    if (this.#matched > 0 && this.position === 0) return this.#goOn(bytes);
    if (this.position >= bytes.length) return END;
    this.from = this.position;
    for (let at = bytes.indexOf(LT, this.position); at >= 0; at = bytes.indexOf(LT, at)) {
      let matched = 1;
      while (matched < OPENING.length && bytes[at + matched] === OPENING.charCodeAt(matched)) matched++;
      const end = at + matched;
      if (matched < OPENING.length && end < bytes.length) {
        at = end;
        continue;
      }
      this.#matched = matched;
      this.to = at;
      this.position = end;
      if (matched === OPENING.length) this.#begin();
      return this.to > this.from ? TEXT : this.next(bytes);
    }
    this.to = bytes.length;
    this.position = bytes.length;
    return TEXT;
  }

  /** What is left of an opening at the end of the body, which is text. */
  get rest(): string {
    return this.#state ? '' : OPENING.slice(0, this.#matched);
  }

  /** The piece before this one has ended within `<!--#`. */
  #goOn(bytes: Uint8Array): number {
    const before = this.#matched;
    while (this.#matched < OPENING.length && this.position < bytes.length) {
      if (bytes[this.position] !== OPENING.charCodeAt(this.#matched)) {
        // It was text; the opening's own characters never begin another one but at the character that differs.
        this.#matched = 0;
        this.position = 0;
        this.held = before;
        return HELD;
      }
      this.#matched++;
      this.position++;
    }
    if (this.#matched < OPENING.length) return END;
    this.#begin();
    return this.next(bytes);
  }

  #begin(): void {
    this.#matched = 0;
    this.#state = beforeCommand;
  }

  #inCommand(bytes: Uint8Array, begun: State): number {
    // Nothing of it has been read yet: what it is hangs on what follows alone.
    const text = begun === beforeCommand ? commandText(bytes, this.position) : '';
    const end = this.position + text.length;
    if (begun === beforeCommand) {
      const known = text === '' ? undefined : commandMemory.find(text, this.valueLength);
      if (known) {
        this.command = known;
        this.position = end;
        this.#state = undefined;
        return COMMAND;
      }
      this.building = noCommand();
    }
    let state = begun;
    while (this.position < bytes.length) {
      const char = String.fromCharCode(bytes[this.position] ?? 0);
      this.position++;
      state = state(this, char);
      if (state !== complete && state !== malformed) continue;
      this.#state = undefined;
      this.command = this.building;
      if (state !== complete) return MALFORMED;
      if (this.position === end) commandMemory.keep(text, this.command);
      return COMMAND;
    }
    this.#state = state;
    return END;
  }

  /** Notes what is wrong; the command is read to its end all the same. */
  wrong(reason: string): State {
    this.onError(reason);
    return skipping;
  }

  get param(): [name: string, value: string] {
    return this.building.params.at(-1) ?? ['', ''];
  }
}

const complete: State = () => complete;
const malformed: State = () => malformed;

const beforeCommand: State = ({ building: command }, char) => {
  if (BLANK.includes(char)) return beforeCommand;
  command.name = char;
  return inName;
};

const inName: State = (scanner, char) => {
  const { building: command } = scanner;
  if (BLANK.includes(char)) return beforeParam;
  if (char === '-') return closing;
  if (command.name.length === COMMAND_LENGTH) {
    return scanner.wrong(`the "${command.name}${char}..." SSI command is too long`);
  }
  command.name += char;
  return inName;
};

const beforeParam: State = ({ building: command }, char) => {
  if (BLANK.includes(char)) return beforeParam;
  if (char === '-') return closing;
  command.params.push([char, '']);
  return inParam;
};

/** A `-` may begin the end of the command, whatever it is that is wrong. */
const unexpected = (scanner: SsiScanner, char: string, where: string): State => {
  scanner.wrong(`unexpected "${char}" symbol ${where} in "${scanner.building.name}" SSI command`);
  return char === '-' ? skippingDash : skipping;
};

const inParam: State = (scanner, char) => {
  const { param, building: command } = scanner;
  if (BLANK.includes(char)) return beforeEqual;
  if (char === '=') return beforeValue;
  if (char === '-') return unexpected(scanner, char, `after "${param[0]}" parameter`);
  if (param[0].length === PARAM_LENGTH) {
    return scanner.wrong(`too long "${param[0]}${char}..." parameter in "${command.name}" SSI command`);
  }
  param[0] += char;
  return inParam;
};

const beforeEqual: State = (scanner, char) => {
  if (BLANK.includes(char)) return beforeEqual;
  if (char === '=') return beforeValue;
  return unexpected(scanner, char, `after "${scanner.param[0]}" parameter`);
};

const beforeValue: State = (scanner, char) => {
  if (BLANK.includes(char)) return beforeValue;
  if (char === '"') return inDouble;
  if (char === "'") return inSingle;
  return unexpected(scanner, char, `before value of "${scanner.param[0]}" parameter`);
};

const addToValue = (scanner: SsiScanner, char: string, then: State): State => {
  const { param, building: command } = scanner;
  if (param[1].length === scanner.valueLength) {
    return scanner.wrong(
      `too long "${param[1]}${char}..." value of "${param[0]}" parameter in "${command.name}" SSI command`,
    );
  }
  param[1] += char;
  return then;
};

const inDouble: State = (scanner, char) =>
  char === '"' ? afterValue : addToValue(scanner, char, char === '\\' ? escapedInDouble : inDouble);
const inSingle: State = (scanner, char) =>
  char === "'" ? afterValue : addToValue(scanner, char, char === '\\' ? escapedInSingle : inSingle);
const escapedInDouble: State = (scanner, char) => addToValue(scanner, char, inDouble);
const escapedInSingle: State = (scanner, char) => addToValue(scanner, char, inSingle);

const afterValue: State = (scanner, char) => {
  if (BLANK.includes(char)) return beforeParam;
  if (char === '-') return closing;
  const [name, value] = scanner.param;
  return scanner.wrong(
    `unexpected "${char}" symbol after "${value}" value of "${name}" parameter in "${scanner.building.name}" SSI command`,
  );
};

const closing: State = (scanner, char) =>
  char === '-'
    ? closingAll
    : scanner.wrong(`unexpected "${char}" symbol in "${scanner.building.name}" SSI command`);
const closingAll: State = (scanner, char) =>
  char === '>'
    ? complete
    : scanner.wrong(`unexpected "${char}" symbol in "${scanner.building.name}" SSI command`);

const skipping: State = (_, char) => (char === '-' ? skippingDash : skipping);
const skippingDash: State = (_, char) => (char === '-' ? skippingDashes : skipping);
const skippingDashes: State = (_, char) => (char === '>' ? malformed : skipping);
