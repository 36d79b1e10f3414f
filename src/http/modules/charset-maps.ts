/** `charset_map`: tables between two charsets, each of which serves both ways. */
import { type Args, block, key, type Scope, type Word } from '../../config/contract.ts';
import { wordAt } from '../../config/parsers.ts';
import type { Data } from '../output.ts';
import { type BytePages, ByteRecoder, FromUtf8, type Recoder, ToUtf8, Utf8Reader } from './charset-recode.ts';

const UTF8 = 'utf-8';
const ASCII = 128;
const UNKNOWN = 0x3f;
/** Bytes that one character of a map may become. */
const LONGEST = 3;

type Maker = () => Recoder;

/** Every charset that a configuration names, and how to come from one to another. */
export class Charsets {
  /** As each was written first, by its small letters. */
  readonly #names = new Map<string, string>();
  readonly #recoders = new Map<string, Maker>();

  /** A charset is named; answers how it was written the first time. */
  add(name: string): string {
    const lower = name.toLowerCase();
    const known = this.#names.get(lower) ?? name;
    this.#names.set(lower, known);
    return known;
  }

  get empty(): boolean {
    return this.#names.size === 0;
  }

  has(name: string): boolean {
    return this.#names.has(name.toLowerCase());
  }

  /** A recoder for one body; undefined where no map leads from one to the other. */
  recoder(from: string, to: string): Recoder | undefined {
    return this.#recoders.get(pairOf(from, to))?.();
  }

  leads(from: string, to: string): boolean {
    return this.#recoders.has(pairOf(from, to));
  }

  addMap(from: string, to: string, forth: Maker, back: Maker): void {
    this.#recoders.set(pairOf(from, to), forth);
    this.#recoders.set(pairOf(to, from), back);
  }
}

const pairOf = (from: string, to: string): string => `${from.toLowerCase()} ${to.toLowerCase()}`;

export const CHARSETS = key<Charsets>('charsets');

/** A table that is being filled by the rows of its block. */
interface Table {
  /** Throws what is wrong with a row's second word. */
  add(from: number, row: Args, word: Word): void;
}

const TABLE = key<Table>('a charset_map');

/** One or two digits and more, base 16; undefined for anything else. */
const hexByte = (text: string): number | undefined => {
  const value = /^[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : -1;
  return value >= 0 && value <= 255 ? value : undefined;
};

/** ASCII stands for itself, and the rest for nothing yet. */
const plainBytes = (): Uint8Array => Uint8Array.from({ length: 256 }, (_, i) => (i < ASCII ? i : UNKNOWN));

class ByteTable implements Table {
  readonly forth = plainBytes();
  readonly back = plainBytes();

  add(from: number, row: Args, word: Word): void {
    const to = hexByte(word.text) ?? row.fail(`invalid value "${word.text}"`, word);
    this.forth[from] = to;
    this.back[to] = from;
  }
}

class Utf8Table implements Table {
  readonly forth: Data[] = Array.from({ length: 256 }, (_, i) => Uint8Array.of(i < ASCII ? i : UNKNOWN));
  readonly back: (Uint8Array | undefined)[] = [
    Uint8Array.from({ length: 256 }, (_, i) => (i < ASCII ? i : 0)),
  ];

  add(from: number, row: Args, word: Word): void {
    const { text } = word;
    const bytes = Buffer.from(text, 'hex');
    const code = new Utf8Reader().read(bytes, bytes.length);
    const right = text !== '' && bytes.length * 2 === text.length && bytes.length <= LONGEST;
    if (!right || code < 0 || code > 0xffff) row.fail(`invalid value "${text}"`, word);
    this.forth[from] = bytes;
    const page = this.back[code >> 8] ?? new Uint8Array(256);
    page[code & 0xff] = from;
    this.back[code >> 8] = page;
  }
}

const addMap = (charsets: Charsets, from: string, to: string): Table => {
  if (to.toLowerCase() === UTF8) {
    const table = new Utf8Table();
    const pages: BytePages = table.back;
    charsets.addMap(
      from,
      to,
      () => new ToUtf8(table.forth),
      () => new FromUtf8(pages),
    );
    return table;
  }
  const table = new ByteTable();
  // A table keeps nothing of a body: one recoder serves all.
  const [forth, back] = [new ByteRecoder(table.forth), new ByteRecoder(table.back)];
  charsets.addMap(
    from,
    to,
    () => forth,
    () => back,
  );
  return table;
};

export const charsetMap = block({
  in: ['http'],
  arity: 2,
  repeats: true,
  child: 'rows',
  begin(args: Args, inner: Scope) {
    const charsets = args.scope.need(CHARSETS);
    const [from, to] = [wordAt(args, 0).text, wordAt(args, 1).text];
    charsets.add(from);
    charsets.add(to);
    if (from.toLowerCase() === to.toLowerCase()) {
      args.fail(`"charset_map" between the same charsets "${from}" and "${to}"`);
    }
    if (from.toLowerCase() === UTF8) {
      args.fail(`"charset_map" with "${UTF8}" charset should be given in the second column`);
    }
    if (charsets.leads(from, to)) args.fail(`duplicate "charset_map" between "${from}" and "${to}"`);
    inner.carry(TABLE, addMap(charsets, from, to));
  },
  row(row: Args, inner: Scope) {
    const [word] = row.words;
    if (!word || row.words.length !== 1) return row.fail('invalid parameters number');
    const from = hexByte(row.name) ?? row.fail(`invalid value "${row.name}"`);
    inner.need(TABLE).add(from, row, word);
  },
});
