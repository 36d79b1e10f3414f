/** Memory that several processes share: a file, mapped. */
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import type { KoffiFunc } from 'koffi';
import { fail, libc } from './libc.ts';

/** `bytes` of an open file as memory that every process mapping it shares. Throws SystemError. */
const mapDescriptor = (fd: number, bytes: number): ArrayBuffer => {
  const { koffi, library } = libc();
  const call: KoffiFunc<
    (at: null, bytes: number, protect: number, flags: number, fd: number, offset: number) => bigint
  > = library.func('void *mmap(void *at, size_t bytes, int protect, int flags, int fd, int64_t offset)');
  const [PROT_READ_WRITE, MAP_SHARED] = [3, 1];
  const at = call(null, bytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
  if (BigInt.asIntN(64, at) === -1n) fail('mmap()');
  return koffi.view(at, bytes);
};

/**
 * Maps `bytes` of a file (a path, made when it is missing, or an open descriptor) as an ArrayBuffer that is the
 * same memory in every process which maps it. A file shorter than that is filled up with zeros. Throws.
 */
export const mapShared = (file: string | number, bytes: number): ArrayBuffer => {
  const fd = typeof file === 'number' ? file : openSync(file, 0o102, 0o600); // O_RDWR | O_CREAT
  try {
    if (fstatSync(fd).size < bytes) ftruncateSync(fd, bytes);
    return mapDescriptor(fd, bytes);
  } finally {
    // The mapping outlives the descriptor.
    if (typeof file !== 'number') closeSync(fd);
  }
};
