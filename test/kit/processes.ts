/** What /proc tells of a process and its descendants (Linux). */
import { readdirSync, readFileSync } from 'node:fs';

interface Stat {
  readonly ppid: number;
  /** Clock ticks of user and system time. */
  readonly ticks: number;
}

function stat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { ppid: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}

/** The processes whose parent is `pid`. */
export function children(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => stat(each)?.ppid === pid);
}

/** `pid` and all its descendants. */
export function family(pid: number): number[] {
  return [pid, ...children(pid).flatMap(family)];
}

/** CPU time of a process and its descendants in clock ticks (10 ms each on Linux). */
export function cpuTicks(pid: number): number {
  return family(pid).reduce((sum, each) => sum + (stat(each)?.ticks ?? 0), 0);
}

/** Open descriptors by what they are: `socket`, `pipe`, `anon_inode`, or a path. */
export function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Resident memory in KiB. */
export function residentKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);
}
