/** The kernel's TCP table, as /proc shows it. */
import { existsSync, readFileSync } from 'node:fs';

const TIME_WAIT = '06';
const ESTABLISHED = '01';
const LISTEN = '0A';
const CLOSE_WAIT = '08';

interface Row {
  readonly local: number;
  readonly remote: number;
  readonly state: string;
  /** Bytes that wait to be taken by the other end. */
  readonly unsent: number;
  /** Bytes that the process at this end has not read; the other end's FIN counts as one that it never reads. */
  readonly unread: number;
}

function rows(): Row[] {
  const found: Row[] = [];
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    if (!existsSync(table)) {
      continue;
    }
    for (const line of readFileSync(table, 'latin1').split('\n').slice(1)) {
      const [, local = '', remote = '', state = '', queues = ''] = line.trim().split(/\s+/);
      if (state !== '') {
        found.push({
          local: portOf(local),
          remote: portOf(remote),
          state,
          unsent: Number.parseInt(queues, 16),
          unread: Number.parseInt(queues.slice(queues.indexOf(':') + 1), 16),
        });
      }
    }
  }
  return found;
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.lastIndexOf(':') + 1), 16);
}

/** Sockets in TIME_WAIT around the listening `port`: the side that closed first holds them. */
export function timeWait(port: number): { listener: number; connector: number } {
  const waiting = rows().filter((row) => row.state === TIME_WAIT);
  return {
    listener: waiting.filter((row) => row.local === port).length,
    connector: waiting.filter((row) => row.remote === port).length,
  };
}

/** Established connections to the listening `port`. */
export function established(port: number): number {
  return rows().filter((row) => row.state === ESTABLISHED && row.local === port).length;
}

/** Bytes that the clients of a listening `port` have not taken yet. */
export function unsent(port: number): number {
  return rows().reduce((sum, row) => (row.local === port ? sum + row.unsent : sum), 0);
}

/** True when all that has come from the port `client` to the listening `port` has been read; `ended`: its end too. */
export function allRead(port: number, client: number, ended = false): boolean {
  const row = rows().find(({ local, remote }) => local === port && remote === client);
  if (row === undefined || ended !== (row.state === CLOSE_WAIT)) {
    return false;
  }
  return row.unread <= (ended ? 1 : 0);
}

/** True when something listens on the port. */
export function listening(port: number): boolean {
  return rows().some((row) => row.state === LISTEN && row.local === port);
}

/** True when no connection, open or in TIME_WAIT, has this port at either end. */
export function quiet(port: number): boolean {
  return !rows().some((row) => row.state !== LISTEN && (row.local === port || row.remote === port));
}
