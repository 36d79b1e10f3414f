/** A part of a film's head, and what is known of one track while the head is rewritten. */

/** What is wrong with a file, in nginx's words. */
export class Mp4Fault extends Error {
  override readonly name = 'Mp4Fault';
}

/** Bytes from `start` to `end` of a buffer that may be changed in place; numbers are big-endian. */
export class Span {
  constructor(
    readonly bytes: Buffer,
    public start: number,
    public end: number,
  ) {}

  get length(): number {
    return this.end - this.start;
  }

  u32(at: number): number {
    return this.bytes.readUInt32BE(this.start + at);
  }

  setU32(at: number, value: number): void {
    this.bytes.writeUInt32BE(value >>> 0, this.start + at);
  }

  u64(at: number): number {
    return this.u32(at) * 2 ** 32 + this.u32(at + 4);
  }

  setU64(at: number, value: number): void {
    this.setU32(at, Math.floor(value / 2 ** 32));
    this.setU32(at + 4, value % 2 ** 32);
  }

  get view(): Buffer {
    return this.bytes.subarray(this.start, this.end);
  }
}

/** A new span of `size` zeros. */
export const blank = (size: number): Span => new Span(Buffer.alloc(size), 0, size);

/** The parts of a track in the order in which they are sent. */
export const PARTS = [
  'trak',
  'tkhd',
  'edts',
  'elst',
  'mdia',
  'mdhd',
  'hdlr',
  'minf',
  'vmhd',
  'smhd',
  'dinf',
  'stbl',
  'stsd',
  'stts',
  'sttsData',
  'stss',
  'stssData',
  'ctts',
  'cttsData',
  'stsc',
  'stscStart',
  'stscData',
  'stscEnd',
  'stsz',
  'stszData',
  'stco',
  'stcoData',
  'co64',
  'co64Data',
] as const;
export type Part = (typeof PARTS)[number];

export class Track {
  readonly parts: { [P in Part]?: Span | undefined } = {};
  /** Bytes of the atoms that are done, each inside the one that is done next. */
  size = 0;
  timescale = 0;
  /** In the track's own time. */
  duration = 0;
  /** In the film's time. */
  movieDuration = 0;
  /** Time before the start, from the key frame on. */
  prefix = 0;
  timeEntries = 0;
  syncEntries = 0;
  compositionEntries = 0;
  chunkEntries = 0;
  sizeEntries = 0;
  chunks = 0;
  startSample = 0;
  endSample = 0;
  startChunk = 0;
  endChunk = 0;
  /** Samples of the first chunk that are left out, of the last chunk that are sent; and their bytes. */
  startChunkSamples = 0;
  endChunkSamples = 0;
  startChunkSize = 0;
  endChunkSize = 0;
  /** What of the file is sent. */
  startOffset = 0;
  endOffset = 0;
}

/** What is asked for, and of which file. */
export interface Mp4Job {
  readonly path: string;
  /** Bytes of the file. */
  readonly end: number;
  /** Milliseconds; a length of 0 is all that follows. */
  readonly start: number;
  readonly length: number;
  /** `mp4_start_key_frame`. */
  readonly keyFrame: boolean;
}
