/** Films in MP4 for tests: written, and taken apart again, without the program's own code (ISO/IEC 14496-12). */

/** One atom. */
export const atom = (name: string, ...data: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(data);
  const head = Buffer.alloc(8);
  head.writeUInt32BE(8 + body.length);
  head.write(name, 4, 'latin1');
  return Buffer.concat([head, body]);
};

/** Numbers of four bytes each. */
const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value >>> 0, i * 4);
  });
  return bytes;
};

const zeros = (count: number): Buffer => Buffer.alloc(count);

/** A track of samples that all last equally long; what is in each says which it is. */
export interface FilmTrack {
  readonly name: string;
  readonly timescale: number;
  /** Of one sample, in the time of the track. */
  readonly duration: number;
  readonly samples: number;
  readonly perChunk: number;
  /** Every how many samples there is a key frame; 0: no table of them. */
  readonly keyEvery: number;
  /** Offsets of eight bytes. */
  readonly wide: boolean;
}

/** The bytes of a sample. */
export const sampleOf = ({ name }: FilmTrack, number: number): Buffer =>
  Buffer.from(`${name}${number};${'.'.repeat(number % 7)}`);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

const MOVIE_SCALE = 1000;

const trackAtom = (track: FilmTrack, offsets: readonly number[]): Buffer => {
  const { timescale, duration, samples, perChunk, keyEvery, wide } = track;
  const media = samples * duration;
  const movie = Math.floor((media * MOVIE_SCALE) / timescale);
  const keys = keyEvery === 0 ? [] : range(samples).filter((i) => i % keyEvery === 0);
  const half = Math.floor(samples / 2);
  const stbl = atom(
    'stbl',
    atom('stsd', words(0, 1), atom('test', zeros(16))),
    // Two entries where one would do.
    atom('stts', words(0, 2, half, duration, samples - half, duration)),
    ...(keyEvery === 0 ? [] : [atom('stss', words(0, keys.length, ...keys.map((i) => i + 1)))]),
    atom('ctts', words(0, 2, half, 7, samples - half, 8)),
    atom('stsc', words(0, 1, 1, perChunk, 1)),
    atom('stsz', words(0, 0, samples, ...range(samples).map((i) => sampleOf(track, i).length))),
    wide
      ? atom('co64', words(0, offsets.length, ...offsets.flatMap((offset) => [0, offset])))
      : atom('stco', words(0, offsets.length, ...offsets)),
  );
  return atom(
    'trak',
    atom('tkhd', words(0, 0, 0, 1, 0, movie), zeros(60)),
    atom(
      'mdia',
      atom('mdhd', words(0, 0, 0, timescale, media), zeros(4)),
      atom('hdlr', zeros(24)),
      atom('minf', atom('smhd', zeros(8)), atom('dinf', zeros(8)), stbl),
    ),
  );
};

/** A whole film: the tracks' chunks one after the other, the head before or behind them. */
export const film = (tracks: readonly FilmTrack[], headFirst: boolean): Buffer => {
  const ftyp = atom('ftyp', Buffer.from('isom'), words(512));
  const chunks = tracks.map((track) => {
    const numbers = range(track.samples);
    return range(Math.ceil(track.samples / track.perChunk)).map((chunk) =>
      Buffer.concat(
        numbers.slice(chunk * track.perChunk, (chunk + 1) * track.perChunk).map((i) => sampleOf(track, i)),
      ),
    );
  });
  const order = range(Math.max(...chunks.map(({ length }) => length))).flatMap((i) =>
    chunks
      .map((list, track) => ({ track, bytes: list[i] ?? zeros(0) }))
      .filter(({ bytes }) => bytes.length > 0),
  );
  const mdat = atom('mdat', ...order.map(({ bytes }) => bytes));
  const moovAt = (start: number): Buffer => {
    const offsets: number[][] = tracks.map(() => []);
    let at = start;
    for (const { track, bytes } of order) {
      offsets[track]?.push(at);
      at += bytes.length;
    }
    const longest = Math.max(
      ...tracks.map((one) => (one.samples * one.duration * MOVIE_SCALE) / one.timescale),
    );
    return atom(
      'moov',
      atom('mvhd', words(0, 0, 0, MOVIE_SCALE, Math.floor(longest)), zeros(80)),
      ...tracks.map((track, i) => trackAtom(track, offsets[i] ?? [])),
    );
  };
  if (!headFirst) return Buffer.concat([ftyp, mdat, moovAt(ftyp.length + 8)]);
  const { length } = moovAt(0);
  return Buffer.concat([ftyp, moovAt(ftyp.length + length + 8), mdat]);
};

/** Where the data of an atom is, by the names that lead to it; undefined when it is not there. */
const find = (bytes: Buffer, path: readonly string[], index = 0): Buffer | undefined => {
  const [name, ...rest] = path;
  let left = name === 'trak' ? index : 0;
  for (let at = 0; at + 8 <= bytes.length; ) {
    const size = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === name && left-- === 0) {
      const data = bytes.subarray(at + 8, at + size);
      return rest.length === 0 ? data : find(data, rest, index);
    }
    at += size;
  }
  return undefined;
};

const STBL = ['moov', 'trak', 'mdia', 'minf', 'stbl'] as const;

/** The samples of a track, as a player finds them through its tables. */
export const samplesIn = (bytes: Buffer, track: number): Buffer[] => {
  const read = (name: string): Buffer | undefined => find(bytes, [...STBL, name], track);
  const stsz = read('stsz') ?? zeros(12);
  const stsc = read('stsc') ?? zeros(8);
  const co64 = read('co64');
  const offsets = co64 ?? read('stco') ?? zeros(8);
  const offsetOf = (i: number): number =>
    co64 ? Number(co64.readBigUInt64BE(8 + i * 8)) : offsets.readUInt32BE(8 + i * 4);
  const found: Buffer[] = [];
  let entry = 0;
  for (let chunk = 0; chunk < offsets.readUInt32BE(4); chunk++) {
    while (entry + 1 < stsc.readUInt32BE(4) && stsc.readUInt32BE(8 + (entry + 1) * 12) <= chunk + 1) entry++;
    let at = offsetOf(chunk);
    for (let i = 0; i < stsc.readUInt32BE(12 + entry * 12); i++) {
      if (found.length === stsz.readUInt32BE(8)) return found;
      const size = stsz.readUInt32BE(12 + found.length * 4);
      found.push(bytes.subarray(at, at + size));
      at += size;
    }
  }
  return found;
};

/** The first duration that the edit list skips; 0 without one. */
export const skipped = (bytes: Buffer, track: number): number => {
  const elst = find(bytes, ['moov', 'trak', 'edts', 'elst'], track);
  return elst ? Number(elst.readBigUInt64BE(16)) : 0;
};

/** How many samples the table of times counts. */
export const timed = (bytes: Buffer, track: number): number => {
  const stts = find(bytes, [...STBL, 'stts'], track) ?? zeros(8);
  return range(stts.readUInt32BE(4)).reduce((sum, i) => sum + stts.readUInt32BE(8 + i * 8), 0);
};
