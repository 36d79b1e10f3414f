/** `hash KEY`: the same key stays at the same peer (as Cache::Memcached spreads keys). */
import type { Template } from '../values/template.ts';
import type { Subject } from '../values/variables.ts';
import type { Asker } from './contract.ts';
import { CRC_START, crcFinish, crcUpdate } from './crc32.ts';
import type { Balance } from './group.ts';
import { HashedSource } from './hashed.ts';
import type { Peers } from './peers.ts';

class HashSource extends HashedSource {
  #hash = 0;
  #round = 0;

  constructor(
    request: Asker,
    primary: Peers,
    backup: Peers | undefined,
    private readonly key: string,
  ) {
    super(request, primary, backup);
  }

  protected override nextHash(): number | undefined {
    if (this.key === '') return undefined;
    const prefix = this.#round > 0 ? `${this.#round}` : '';
    const sum = crcFinish(crcUpdate(crcUpdate(CRC_START, prefix), this.key));
    this.#hash += (sum >>> 16) & 0x7fff;
    this.#round++;
    return this.#hash;
  }
}

export const hash =
  <R extends Asker & Subject>(key: Template<R>): Balance<R> =>
  (request, primary, backup) =>
    new HashSource(request, primary, backup, key.text(request));
