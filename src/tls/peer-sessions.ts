/** Sessions with peers, which the next connections to them resume. */
import { callback, openssl } from './openssl.ts';
import { type Owned, owned } from './owned.ts';

const freeSession = (at: number): void => openssl().SSL_SESSION_free(at);

export class PeerSessions {
  readonly #newest = new WeakMap<object, Owned>();

  /** The newest one with a peer; 0 without one. */
  of(peer: object): number {
    return this.#newest.get(peer)?.at ?? 0;
  }

  /** Keeps a session, which is this object's from then on. */
  keep(peer: object, session: number): void {
    this.#newest.set(peer, owned(session, freeSession));
  }
}

/** Who is told of the sessions that the connection which is being worked on is given. */
let sessions: PeerSessions | undefined;
let party: object | undefined;

/** Says whose sessions come next; nobody keeps them without `kept`. */
export const keepSessions = (kept: PeerSessions | undefined, peer: object | undefined): void => {
  sessions = kept;
  party = peer;
};

let registered = 0;

/** The function that OpenSSL calls with each new session; 1 says that it is ours now. */
export const sessionCallback = (): number => {
  registered ||= callback('int', ['int64', 'int64'], (_ssl = 0, session = 0) => {
    if (!sessions || !party) return 0;
    sessions.keep(party, session);
    return 1;
  });
  return registered;
};
