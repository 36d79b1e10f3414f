/** A statement as its parser sees it. */
import { type Args, ConfError, type Place, type Scope, type Word } from './contract.ts';

export class ReadArgs implements Args {
  readonly nameWord: Word;
  readonly words: readonly Word[];
  readonly scope: Scope;
  readonly place: Place;
  #texts: readonly string[] | undefined;

  constructor(nameWord: Word, words: readonly Word[], scope: Scope, place: Place) {
    this.nameWord = nameWord;
    this.words = words;
    this.scope = scope;
    this.place = place;
  }

  get name(): string {
    return this.nameWord.text;
  }

  get texts(): readonly string[] {
    return (this.#texts ??= this.words.map((word) => word.text));
  }

  /** The same statement, reported elsewhere: at the end of its block. */
  at(place: Place): ReadArgs {
    return new ReadArgs(this.nameWord, this.words, this.scope, place);
  }

  errorAt(reason: string, at?: Place): ConfError {
    return new ConfError(reason, this.place, at ?? this.nameWord);
  }

  fail(reason: string, at?: Place): never {
    throw this.errorAt(reason, at);
  }

  failDirective(reason: string, at?: Place): never {
    throw this.errorAt(`"${this.name}" directive ${reason}`, at);
  }

  warn(reason: string): void {
    this.scope.load.warn(reason, this.place);
  }
}
