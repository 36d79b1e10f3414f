/** Memory that several processes share: a file, mapped. */
import { closeSync, fstatSync, ftruncateSync, openSync } from 'node:fs';
import { mapDescriptor } from './libc.ts';

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
