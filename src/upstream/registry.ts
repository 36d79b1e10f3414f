/** The upstream groups of one configuration: the blocks as written and the implicit ones of proxy_pass. */
import type { Place } from '../config/contract.ts';
import type { PeerGroup } from './contract.ts';

/** A group that is referred to before it may have been read; `group` is bound when the http block is complete. */
export interface GroupRef {
  readonly name: string;
  readonly place: Place;
  group: PeerGroup;
}

export interface UpstreamRegistry {
  /**
   * The group that `host[:port]` or `unix:path` names: an `upstream` block, maybe further down, or an implicit
   * one whose names are resolved when the block is complete (`host not found in upstream "x"`).
   */
  use(address: string, defaultPort: number, place: Place): GroupRef;
  /** At run time, for an address made of variables: an explicit group by its name, or undefined. */
  find(name: string): PeerGroup | undefined;
}
