/** A film cut to a piece of its time: a new head, and which bytes of the file follow it (ngx_http_mp4). */
import { adjustOffsets, updateOffsets, updateStsc, updateStsz } from './mp4-chunks.ts';
import { type Mp4File, TOP } from './mp4-file.ts';
import { updateCtts, updateStss, updateStts } from './mp4-samples.ts';
import { blank, PARTS, type Span, type Track } from './mp4-track.ts';

const HEAD = 8;
const HEAD64 = 16;

/** The piece of a film. */
export interface Cut {
  readonly head: Buffer;
  readonly start: number;
  readonly end: number;
}

const name = (atom: Span, text: string): void => {
  atom.bytes.write(text, atom.start + 4, 'latin1');
};

/** Tells players to skip what was sent only to begin with a key frame. */
const addEdits = (track: Track): void => {
  if (track.prefix === 0) return;
  const elst = blank(36);
  const edts = blank(HEAD);
  edts.setU32(0, HEAD + elst.length);
  name(edts, 'edts');
  elst.setU32(0, elst.length);
  name(elst, 'elst');
  elst.setU32(8, 0x01000000);
  elst.setU32(12, 1);
  elst.setU64(16, track.movieDuration);
  elst.setU64(24, track.prefix);
  elst.setU32(32, 0x00010000);
  track.parts.edts = edts;
  track.parts.elst = elst;
  track.size += HEAD + elst.length;
};

/** An atom holds all that is done so far. */
const close = (track: Track, part: 'stbl' | 'minf' | 'mdia' | 'trak'): void => {
  track.size += HEAD;
  track.parts[part]?.setU32(0, track.size);
};

const length = (span: Span | undefined): number => span?.length ?? 0;

/** Rewrites the tables of a track, and the sizes of the atoms around them. */
const update = (file: Mp4File, track: Track): void => {
  const { parts } = track;
  updateStts(file, track);
  updateStss(file, track);
  updateCtts(file, track);
  updateStsc(file, track);
  updateStsz(file, track);
  updateOffsets(file, track);
  close(track, 'stbl');
  track.size += length(parts.vmhd) + length(parts.smhd) + length(parts.dinf);
  close(track, 'minf');
  const { mdhd } = parts;
  if (mdhd) {
    if (mdhd.bytes[mdhd.start + HEAD] === 0) mdhd.setU32(24, track.duration);
    else mdhd.setU64(32, track.duration);
  }
  track.size += length(mdhd) + length(parts.hdlr);
  close(track, 'mdia');
  track.size += length(parts.tkhd);
  addEdits(track);
  close(track, 'trak');
};

const mdatHead = (size: number): Buffer => {
  const long = size > 0xffffffff - HEAD;
  const atom = blank(long ? HEAD64 : HEAD);
  atom.setU32(0, long ? 1 : HEAD + size);
  name(atom, 'mdat');
  if (long) atom.setU64(8, HEAD64 + size);
  return atom.view;
};

/** Reads a file's head and cuts it; undefined when all of the file is to be sent as it is. Throws Mp4Fault. */
export const cutFilm = (file: Mp4File): Cut | undefined => {
  const { tracks, job } = file;
  if (!file.read(TOP, job.end)) return undefined;
  if (tracks.length === 0) file.failIn('no mp4 trak atoms were found');
  if (file.mdatEnd < 0) file.failIn('no mp4 mdat atom was found');
  for (const track of tracks) update(file, track);
  const start = Math.min(job.end, ...tracks.map(({ startOffset }) => startOffset));
  const end = Math.max(0, ...tracks.map(({ endOffset }) => endOffset));
  if (end <= start) file.failIn('no data between start time and end time');
  if (start >= file.mdatEnd) file.failIn('start time is out mp4 mdat atom');
  const moov = blank(HEAD);
  const moovSize = tracks.reduce((sum, { size }) => sum + size, HEAD + length(file.mvhd));
  moov.setU32(0, moovSize);
  name(moov, 'moov');
  const mdat = mdatHead(end - start);
  const adjustment = (file.ftyp?.length ?? 0) + moovSize + mdat.length - start;
  for (const track of tracks) adjustOffsets(file, track, adjustment);
  const pieces: Buffer[] = [];
  if (file.ftyp) pieces.push(file.ftyp);
  pieces.push(moov.view);
  if (file.mvhd) pieces.push(file.mvhd.view);
  for (const { parts } of tracks) {
    for (const part of PARTS) {
      const span = parts[part];
      if (span) pieces.push(span.view);
    }
  }
  pieces.push(mdat);
  return { head: Buffer.concat(pieces), start, end };
};
