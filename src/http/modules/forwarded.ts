/** The client's address behind proxies that are trusted, from the values of X-Forwarded-For and its like. */
import { parseNumber } from '../../config/numbers.ts';
import { addressBytes, type Cidr } from '../../net/addresses.ts';
import { isTrusted } from '../../values/trusted.ts';

/** An address that a header names. */
export interface Endpoint {
  readonly bytes: readonly number[];
  /** 0 when none is named. */
  readonly port: number;
}

/** `192.0.2.1`, `192.0.2.1:80`, `::1`, `[::1]`, `[::1]:80`; undefined when it is none of these (ngx_parse_addr_port). */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const bare = addressBytes(text) ?? addressBytes(/^\[(.*)\]$/.exec(text)?.[1] ?? '');
  if (bare) return { bytes: bare, port: 0 };
  const match = /^(?:\[([^\]]*)\]|([^:[]*)):(\d+)$/.exec(text);
  const bytes = addressBytes(match?.[1] ?? match?.[2] ?? '');
  const port = parseNumber(match?.[3] ?? '') ?? 0;
  return bytes && port >= 1 && port <= 65535 ? { bytes, port } : undefined;
};

const isDivider = (c: string): boolean => c === ' ' || c === ',';

/** The entries of a value from the last to the first. A divider before the first one is taken for a part of it. */
export const entriesFromEnd = (value: string): readonly string[] => {
  const entries: string[] = [];
  for (let end = value.length; ; ) {
    let at = end - 1;
    while (at > 0 && isDivider(value.charAt(at))) at--;
    end = at + 1;
    while (at > 0 && !isDivider(value.charAt(at))) at--;
    const start = at > 0 ? at + 1 : 0;
    entries.push(value.slice(start, end));
    if (start === 0) return entries;
    end = start - 1;
  }
};

/**
 * The address that the last entry names when the client is a trusted proxy; with `recursive`, entries of trusted
 * proxies are passed over. The nearest line is the last. Undefined where there is no such entry.
 */
export const forwardedAddress = (
  trustsClient: boolean,
  values: readonly string[],
  proxies: readonly Cidr[],
  recursive: boolean,
): Endpoint | undefined => {
  let found: Endpoint | undefined;
  for (let i = values.length - 1; i >= 0; i--) {
    for (const entry of entriesFromEnd(values[i] ?? '')) {
      if (!(found ? isTrusted(found.bytes, proxies) : trustsClient)) return found;
      const next = parseEndpoint(entry);
      if (!next) return found;
      found = next;
      if (!recursive) return found;
    }
  }
  return found;
};
