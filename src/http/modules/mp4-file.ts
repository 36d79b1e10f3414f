/** The atoms of an MP4 file as they are read (ISO/IEC 14496-12, ngx_http_mp4). */
import { readSync } from 'node:fs';
import { Mp4Fault, type Mp4Job, type Part, Span, Track } from './mp4-track.ts';

const HEAD = 8;
const HEAD64 = 16;
const LARGEST_FTYP = 1024;

/** False: this one is left out, with all that is around it up to its track, or the whole file. */
type Handler = (file: Mp4File, size: number) => boolean;
type Handlers = Readonly<Record<string, Handler>>;

export class Mp4File {
  offset = 0;
  /** The whole atom `moov` but for its head, and where it stands in the file. */
  moov: Buffer | undefined = undefined;
  moovStart = 0;
  ftyp: Buffer | undefined = undefined;
  mvhd: Span | undefined = undefined;
  timescale = 0;
  readonly tracks: Track[] = [];
  /** Where the atom `mdat` ends; -1 when there is none. */
  mdatEnd = -1;

  constructor(
    readonly fd: number,
    readonly job: Mp4Job,
    readonly bufferSize: number,
    readonly maxBufferSize: number,
  ) {}

  fail(text: string): never {
    throw new Mp4Fault(`"${this.job.path}" mp4 ${text}`);
  }

  failIn(text: string): never {
    throw new Mp4Fault(`${text} in "${this.job.path}"`);
  }

  /** The next `size` bytes of the file, which stay where they are. */
  peek(size: number): Span {
    const { moov, moovStart, offset } = this;
    const at = offset - moovStart;
    if (moov && at >= 0 && at + size <= moov.length) return new Span(moov, at, at + size);
    if (offset + size > this.job.end) this.fail('file truncated');
    const bytes = Buffer.alloc(size);
    const count = readSync(this.fd, bytes, 0, size, offset);
    if (count !== size) throw new Mp4Fault(`pread() read only ${count} of ${size} from "${this.job.path}"`);
    return new Span(bytes, 0, size);
  }

  /** The atom whose data of `size` bytes comes next, its head of eight bytes included; inside `moov`. */
  atom(name: string, size: number): Span {
    const at = this.offset - this.moovStart;
    const span = new Span(this.moov ?? Buffer.alloc(0), at - HEAD, at + size);
    span.bytes.write(name, at - 4, 'latin1');
    span.setU32(0, HEAD + size);
    return span;
  }

  get track(): Track {
    return this.tracks.at(-1) ?? this.fail('atom without trak');
  }

  /** Reads the atoms in the next `size` bytes. */
  read(handlers: Handlers, size: number): boolean {
    const end = this.offset + size;
    while (this.offset < end) {
      let length = this.peek(4).u32(0);
      let head = HEAD;
      if (length === 0) return true;
      if (length === 1) {
        length = this.peek(HEAD64).u64(8);
        head = HEAD64;
      }
      if (length < head) this.fail(`atom is too small:${length}`);
      const name = this.peek(HEAD).view.toString('latin1', 4);
      if (this.offset + length > end) this.fail(`atom too large:${length}`);
      const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
      if (!handler) {
        this.offset += length;
        continue;
      }
      this.offset += head;
      if (!handler(this, length - head)) return false;
    }
    return true;
  }
}

/** How much of a duration is left from the start on, and up to the end. */
const cropped = ({ start, length }: Mp4Job, timescale: number, duration: number): number => {
  const rest = duration - Math.floor((start * timescale) / 1000);
  return length === 0 ? rest : Math.min(rest, Math.floor((length * timescale) / 1000));
};

/** An atom that must be there once and holds at least `least` bytes. */
const single = (file: Mp4File, part: Part, size: number, least = 0): Span => {
  const span = file.atom(part, size);
  if (size < least) file.fail(`${part} atom too small`);
  const { parts } = file.track;
  if (parts[part]) file.failIn(`duplicate mp4 ${part} atom`);
  parts[part] = span;
  return span;
};

const ftyp: Handler = (file, size) => {
  if (size > LARGEST_FTYP || size > file.bufferSize) file.fail(`ftyp atom is too large:${size}`);
  if (file.ftyp) file.failIn('duplicate mp4 ftyp atom');
  const atom = Buffer.alloc(HEAD + size);
  atom.writeUInt32BE(atom.length);
  atom.write('ftyp', 4, 'latin1');
  file.peek(size).view.copy(atom, HEAD);
  file.ftyp = atom;
  file.offset += size;
  return true;
};

const moov: Handler = (file, size) => {
  const { job } = file;
  const first = file.mdatEnd < 0;
  // All of a file that begins with its head: it is sent as it is.
  if (first && job.start === 0 && job.length === 0) return false;
  if (file.moov) file.failIn('duplicate mp4 moov atom');
  if (size > file.bufferSize && size > file.maxBufferSize) {
    file.fail(`moov atom is too large:${size}, you may want to increase mp4_max_buffer_size`);
  }
  const { offset } = file;
  // With room for the head that stands before it.
  file.moov = Buffer.concat([Buffer.alloc(HEAD), file.peek(size).view]);
  file.moovStart = offset - HEAD;
  const read = file.read(MOOV, size);
  if (!first) file.offset = job.end;
  return read;
};

const mdat: Handler = (file, size) => {
  if (file.mdatEnd >= 0) file.failIn('duplicate mp4 mdat atom');
  file.mdatEnd = file.offset + size;
  file.offset = file.tracks.length > 0 ? file.job.end : file.mdatEnd;
  return true;
};

const mvhd: Handler = (file, size) => {
  if (file.mvhd) file.failIn('duplicate mp4 mvhd atom');
  const atom = file.atom('mvhd', size);
  if (size < 100) file.fail('mvhd atom too small');
  const long = atom.bytes[atom.start + HEAD] !== 0;
  if (long && size < 112) file.fail('mvhd atom too small');
  const timescale = atom.u32(long ? 28 : 20);
  const duration = long ? atom.u64(32) : atom.u32(24);
  file.timescale = timescale;
  if (duration < Math.floor((file.job.start * timescale) / 1000))
    file.fail('start time exceeds file duration');
  const rest = cropped(file.job, timescale, duration);
  if (long) atom.setU64(32, rest);
  else atom.setU32(24, rest);
  file.mvhd = atom;
  file.offset += size;
  return true;
};

const trak: Handler = (file, size) => {
  const track = new Track();
  file.tracks.push(track);
  const atom = file.atom('trak', size);
  atom.end = atom.start + HEAD;
  track.parts.trak = atom;
  const end = file.offset + size;
  if (file.read(TRAK, size)) return true;
  file.tracks.pop();
  file.offset = end;
  return true;
};

const cmov: Handler = (file) => file.fail('compressed moov atom (cmov) is not supported');

const tkhd: Handler = (file, size) => {
  const atom = file.atom('tkhd', size);
  if (size < 84) file.fail('tkhd atom too small');
  const long = atom.bytes[atom.start + HEAD] !== 0;
  if (long && size < 96) file.fail('tkhd atom too small');
  const duration = long ? atom.u64(36) : atom.u32(28);
  if (duration <= Math.floor((file.job.start * file.timescale) / 1000)) return false;
  const rest = cropped(file.job, file.timescale, duration);
  const { track } = file;
  if (track.parts.tkhd) file.failIn('duplicate mp4 tkhd atom');
  track.parts.tkhd = atom;
  track.movieDuration = rest;
  if (long) atom.setU64(36, rest);
  else atom.setU32(28, rest);
  file.offset += size;
  return true;
};

const mdhd: Handler = (file, size) => {
  const atom = file.atom('mdhd', size);
  if (size < 24) file.fail('mdhd atom too small');
  const long = atom.bytes[atom.start + HEAD] !== 0;
  if (long && size < 36) file.fail('mdhd atom too small');
  const timescale = atom.u32(long ? 28 : 20);
  const duration = long ? atom.u64(32) : atom.u32(24);
  if (duration <= Math.floor((file.job.start * timescale) / 1000)) return false;
  const { track } = file;
  if (track.parts.mdhd) file.failIn('duplicate mp4 mdhd atom');
  track.parts.mdhd = atom;
  track.timescale = timescale;
  track.duration = cropped(file.job, timescale, duration);
  file.offset += size;
  return true;
};

/** An atom that holds others: only its head is kept. */
const nest =
  (part: Part, handlers: () => Handlers): Handler =>
  (file, size) => {
    const atom = single(file, part, size);
    atom.end = atom.start + HEAD;
    return file.read(handlers(), size);
  };

/** An atom that is passed on as it is. */
const keep =
  (part: Part, least = 0): Handler =>
  (file, size) => {
    single(file, part, size, least);
    file.offset += size;
    return true;
  };

/** A track has pictures or sound. */
const media =
  (part: 'vmhd' | 'smhd'): Handler =>
  (file, size) => {
    const { parts } = file.track;
    const atom = file.atom(part, size);
    if (parts.vmhd || parts.smhd) file.failIn('duplicate mp4 vmhd/smhd atom');
    parts[part] = atom;
    file.offset += size;
    return true;
  };

/** Splits a table from the head of its atom, and gives the number of its entries to `take`. */
const table =
  (
    part: 'stts' | 'stss' | 'ctts' | 'stsc' | 'stco' | 'co64',
    entrySize: number,
    take: (track: Track, entries: number) => void,
  ): Handler =>
  (file, size) => {
    const { track } = file;
    const offsets = part === 'stco' || part === 'co64';
    if (offsets && size >= 8 && (track.parts.stco || track.parts.co64)) {
      file.failIn('duplicate mp4 stco/co64 atom');
    }
    const atom = single(file, part, size, 8);
    const entries = atom.u32(12);
    if (8 + entries * entrySize > size) file.fail(`${part} atom too small`);
    take(track, entries);
    atom.end = atom.start + 16;
    track.parts[`${part}Data`] = new Span(atom.bytes, atom.end, atom.end + entries * entrySize);
    file.offset += size;
    return true;
  };

const stsz: Handler = (file, size) => {
  const atom = single(file, 'stsz', size, 12);
  const { track } = file;
  const uniform = atom.u32(12);
  const entries = atom.u32(16);
  track.sizeEntries = entries;
  atom.end = atom.start + 20;
  if (uniform !== 0) {
    track.size += HEAD + size;
  } else {
    if (12 + entries * 4 > size) file.fail('stsz atom too small');
    track.parts.stszData = new Span(atom.bytes, atom.end, atom.end + entries * 4);
  }
  file.offset += size;
  return true;
};

const stsd: Handler = (file, size) => {
  single(file, 'stsd', size, 16);
  file.track.size += HEAD + size;
  file.offset += size;
  return true;
};

export const TOP: Handlers = { ftyp, moov, mdat };
const MOOV: Handlers = { mvhd, trak, cmov };
const TRAK: Handlers = { tkhd, mdia: nest('mdia', () => MDIA) };
const MDIA: Handlers = { mdhd, hdlr: keep('hdlr'), minf: nest('minf', () => MINF) };
const MINF: Handlers = {
  vmhd: media('vmhd'),
  smhd: media('smhd'),
  dinf: keep('dinf'),
  stbl: nest('stbl', () => STBL),
};
const STBL: Handlers = {
  stsd,
  stts: table('stts', 8, (track, entries) => {
    track.timeEntries = entries;
  }),
  stss: table('stss', 4, (track, entries) => {
    track.syncEntries = entries;
  }),
  ctts: table('ctts', 8, (track, entries) => {
    track.compositionEntries = entries;
  }),
  stsc: table('stsc', 12, (track, entries) => {
    track.chunkEntries = entries;
  }),
  stsz,
  stco: table('stco', 4, (track, entries) => {
    track.chunks = entries;
  }),
  co64: table('co64', 8, (track, entries) => {
    track.chunks = entries;
  }),
};
