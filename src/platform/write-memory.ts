/** write() of memory that is not ours to copy first. */
import type { KoffiFunc } from 'koffi';
import { libc } from './libc.ts';

type Write = KoffiFunc<(fd: number, at: number, length: number) => number>;
let call: Write | undefined;

const load = (): Write => libc().library.func('write', 'int64', ['int', 'int64', 'size_t']);

/** Writes `length` bytes at the address `at`; answers how many the system took, negative where none. */
export const writeMemory = (fd: number, at: number, length: number): number => {
  call ??= load();
  return call(fd, at, length);
};
