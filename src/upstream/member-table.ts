/**
 * The beginning of a zone whose groups get servers from DNS: the counters of all their servers, and who these are as
 * text. One worker looks a name up and writes; the others see that the version has changed, and read.
 *
 *     64 bytes of head | counters by slot | the text, JSON
 */
import { SharedSlots, slotsBytes } from '../zone/slots.ts';
import type { GroupState, Places } from './members.ts';
import { DOUBLES, INTEGERS } from './peers.ts';

const HEAD_BYTES = 64;
/** Words of the head. */
const MAGIC_WORD = 0;
const VERSION = 1;
const CAPACITY = 2;
const TEXT_BYTES = 3;
/** No lock of another use of a zone's beginning is ever this: process ids are smaller. */
const MAGIC = 0x736c7563;
/** Counters and text that a server takes, about. */
const BYTES_EACH = 288;

interface TableState {
  /** The next member's id. */
  next: number;
  /** By name. */
  readonly groups: Record<string, GroupState | undefined>;
}

export class MemberTable {
  readonly slots: SharedSlots;
  readonly #words: Int32Array;
  readonly #text: Buffer;

  private constructor(
    memory: ArrayBuffer,
    readonly capacity: number,
    textRoom: number,
    /** Slots from 0 on that belong to servers with an address. */
    readonly reserved: number,
  ) {
    this.#words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    this.slots = new SharedSlots(memory, HEAD_BYTES, capacity, INTEGERS, DOUBLES);
    this.#text = Buffer.from(memory, HEAD_BYTES + slotsBytes(capacity, INTEGERS, DOUBLES), textRoom);
  }

  /** How many servers fit into so many bytes. */
  static capacityOf(bytes: number): number {
    return Math.max(0, Math.floor((bytes - 2 * HEAD_BYTES) / BYTES_EACH));
  }

  /** The table in the first `bytes` of a zone; empty the first time. */
  static at(memory: ArrayBuffer, bytes: number, reserved: number): MemberTable {
    const capacity = MemberTable.capacityOf(bytes);
    const room = bytes - HEAD_BYTES - slotsBytes(capacity, INTEGERS, DOUBLES);
    const table = new MemberTable(memory, capacity, room, reserved);
    table.#words[MAGIC_WORD] = MAGIC;
    table.#words[CAPACITY] = capacity;
    return table;
  }

  /** The table that another configuration has in a zone, if it has one. */
  static existing(memory: ArrayBuffer): MemberTable | undefined {
    const words = new Int32Array(memory, 0, HEAD_BYTES / 4);
    if (words[MAGIC_WORD] !== MAGIC) return undefined;
    return new MemberTable(memory, words[CAPACITY] ?? 0, words[TEXT_BYTES] ?? 0, 0);
  }

  /** Changes when the servers do. */
  get version(): number {
    return this.#words[VERSION] ?? 0;
  }

  /** What is known of a group. The table must be locked (`slots.lock`). */
  group(name: string): GroupState | undefined {
    return this.#read().groups[name];
  }

  /** As `group`, for a table that is not locked. */
  peek(name: string): GroupState | undefined {
    this.slots.lock();
    try {
      return this.group(name);
    } finally {
      this.slots.unlock();
    }
  }

  /**
   * Changes a group's state: `change` is given the present one and answers with the next, and whether its members
   * differ. False: the text has no room, and nothing has changed.
   */
  update(
    name: string,
    change: (
      before: GroupState | undefined,
      places: Places,
    ) => { readonly state: GroupState; readonly changed: boolean },
  ): boolean {
    this.slots.lock();
    try {
      const table = this.#read();
      const { state, changed } = change(table.groups[name], this.#places(table));
      table.groups[name] = state;
      if (!this.#write(table)) return false;
      if (changed) this.#words[VERSION] = this.version + 1;
      return true;
    } finally {
      this.slots.unlock();
    }
  }

  #places(table: TableState): Places {
    const used = new Set<number>();
    for (const group of Object.values(table.groups))
      for (const { slot } of group?.members ?? []) used.add(slot);
    return {
      take: () => {
        let slot = this.reserved;
        while (used.has(slot)) slot++;
        if (slot >= this.capacity) return undefined;
        used.add(slot);
        for (let i = 0; i < INTEGERS; i++) this.slots.setInteger(slot, i, 0);
        for (let i = 0; i < DOUBLES; i++) this.slots.setDouble(slot, i, 0);
        return { id: table.next++, slot };
      },
      free: (slot) => used.delete(slot),
    };
  }

  #read(): TableState {
    const length = this.#words[TEXT_BYTES] ?? 0;
    if (length === 0) return { next: Date.now(), groups: {} };
    return JSON.parse(this.#text.latin1Slice(0, length)) as TableState;
  }

  #write(table: TableState): boolean {
    const text = JSON.stringify(table);
    if (text.length > this.#text.length) return false;
    // Whoever dies in between leaves nothing rather than half of it.
    this.#words[TEXT_BYTES] = 0;
    this.#text.latin1Write(text);
    this.#words[TEXT_BYTES] = text.length;
    return true;
  }
}
