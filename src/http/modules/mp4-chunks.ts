/** The tables of a track's chunks, cut to the samples that are sent: stsc, stsz, stco, co64 (ngx_http_mp4). */
import type { Mp4File } from './mp4-file.ts';
import { blank, type Span, type Track } from './mp4-track.ts';

/** A chunk of the table that stands for a part of one: which, how many samples, their description. */
const entryOf = (chunk: number, samples: number, id: number): Span => {
  const entry = blank(12);
  entry.setU32(0, chunk);
  entry.setU32(4, samples);
  entry.setU32(8, id);
  return entry;
};

/** How many samples come before the cut, in what is left of the table. */
const samplesBefore = (track: Track, start: boolean): number => {
  if (start) return track.startSample;
  const wanted = track.endSample - track.startSample;
  const first = track.parts.stscStart;
  if (!first) return wanted;
  const samples = Math.min(first.u32(4), wanted);
  first.setU32(4, samples);
  return wanted - samples;
};

/** Where a sample lies in the table. */
interface Place {
  /** Of its entry, in bytes, and how many entries follow from there on. */
  readonly at: number;
  readonly entries: number;
  /** Samples of this entry before it. */
  readonly sample: number;
  readonly chunk: number;
  readonly nextChunk: number;
  readonly samples: number;
  readonly id: number;
  /** Samples of a chunk before this entry. */
  readonly before: number;
}

const find = (file: Mp4File, track: Track, data: Span, start: boolean): Place => {
  let sample = samplesBefore(track, start);
  let entries = track.chunkEntries - 1;
  if (!start && track.parts.stscStart) entries--;
  let chunk = data.u32(0);
  let samples = data.u32(4);
  let id = data.u32(8);
  let before = 0;
  for (let at = 12; ; at += 12) {
    const last = at >= data.length;
    const nextChunk = last ? track.chunks + 1 : data.u32(at);
    if (nextChunk < chunk) file.failIn('unordered mp4 stsc chunks');
    const held = (nextChunk - chunk) * samples;
    if (last && sample > held) file.failIn(`${start ? 'start' : 'end'} time is out mp4 stsc chunks`);
    if (last || sample < held) {
      if (samples === 0) file.failIn('zero number of samples');
      if (chunk === 0) file.failIn('zero chunk');
      return { at: at - 12, entries: entries + 1, sample, chunk, nextChunk, samples, id, before };
    }
    sample -= held;
    if (nextChunk > chunk) before = samples;
    chunk = nextChunk;
    samples = data.u32(at + 4);
    id = data.u32(at + 8);
    entries--;
  }
};

const cutStart = (file: Mp4File, track: Track, data: Span): void => {
  const { at, entries, sample, chunk, nextChunk, samples, id } = find(file, track, data, true);
  const target = chunk - 1 + Math.floor(sample / samples);
  const left = sample % samples;
  data.start += at;
  track.chunkEntries = entries;
  track.startChunk = target;
  track.startChunkSamples = left;
  data.setU32(0, target + 1);
  if (left === 0) return;
  if (nextChunk - target === 2) {
    data.setU32(4, samples - left);
    return;
  }
  track.parts.stscStart = entryOf(1, samples - left, id);
  data.setU32(0, target + 2);
  track.chunkEntries++;
};

const cutEnd = (file: Mp4File, track: Track, data: Span): void => {
  const { at, entries, sample, chunk, samples, id, before } = find(file, track, data, false);
  const target = chunk - 1 + Math.floor(sample / samples);
  const left = sample % samples;
  const entry = data.start + at;
  if (sample > 0) {
    data.end = entry + 12;
    track.chunkEntries -= entries - 1;
    track.endChunkSamples = samples;
  } else {
    data.end = entry;
    track.chunkEntries -= entries;
    track.endChunkSamples = before;
  }
  track.endChunk = target;
  if (left === 0) return;
  track.endChunk = target + 1;
  track.endChunkSamples = left;
  if (chunk + 1 - target === 2) {
    data.setU32(at + 4, left);
    return;
  }
  track.parts.stscEnd = entryOf(track.endChunk - track.startChunk, left, id);
  track.chunkEntries++;
};

/** Which chunk holds how many samples; says which chunks are sent. */
export const updateStsc = (file: Mp4File, track: Track): void => {
  const { stsc, stscData: data } = track.parts;
  if (!stsc || !data) file.failIn('no mp4 stsc atoms were found');
  if (track.chunkEntries === 0) file.failIn('zero number of entries in stsc atom');
  cutStart(file, track, data);
  if (file.job.length > 0) cutEnd(file, track, data);
  for (let at = 0; at < data.length; at += 12) data.setU32(at, data.u32(at) - track.startChunk);
  const size = 16 + track.chunkEntries * 12;
  stsc.setU32(0, size);
  stsc.setU32(12, track.chunkEntries);
  track.size += size;
};

/** The bytes of the `count` samples before the place `at` of the file's table. */
const bytesBefore = (data: Span, at: number, count: number): number => {
  let sum = 0;
  for (let i = 1; i <= count; i++) sum += data.bytes.readUInt32BE(at - 4 * i);
  return sum;
};

/** How large each sample is. */
export const updateStsz = (file: Mp4File, track: Track): void => {
  const { stsz, stszData: data } = track.parts;
  if (!stsz || !data) return;
  let entries = track.sizeEntries;
  if (track.startSample >= entries) file.failIn('start time is out mp4 stsz samples');
  entries -= track.startSample;
  data.start += track.startSample * 4;
  track.startChunkSize = bytesBefore(data, data.start, track.startChunkSamples);
  if (track.startChunkSize > file.job.end) file.failIn('too large mp4 start samples size');
  if (file.job.length > 0) {
    const sent = track.endSample - track.startSample;
    if (sent > entries) file.failIn('end time is out mp4 stsz samples');
    entries = sent;
    data.end = data.start + sent * 4;
    track.endChunkSize = bytesBefore(data, data.end, track.endChunkSamples);
    if (track.endChunkSize > file.job.end) file.failIn('too large mp4 end samples size');
  }
  stsz.setU32(0, 20 + data.length);
  stsz.setU32(16, entries);
  track.size += 20 + data.length;
};

/** A table of offsets, of 4 or 8 bytes each. */
interface Offsets {
  readonly head: Span;
  readonly data: Span;
  readonly name: 'stco' | 'co64';
  readonly width: 4 | 8;
}

const offsetsOf = (file: Mp4File, { parts }: Track): Offsets => {
  const { co64, co64Data, stco, stcoData } = parts;
  if (co64 && co64Data) return { head: co64, data: co64Data, name: 'co64', width: 8 };
  if (stco && stcoData) return { head: stco, data: stcoData, name: 'stco', width: 4 };
  return file.failIn('no mp4 stco atoms were found');
};

const offsetAt = ({ data, width }: Offsets, at: number): number =>
  width === 8 ? data.u64(at) : data.u32(at);

const setOffset = ({ data, width }: Offsets, at: number, value: number): void => {
  if (width === 8) data.setU64(at, value);
  else data.setU32(at, value);
};

/** An offset and what is to be skipped behind it. */
const moved = (file: Mp4File, offsets: Offsets, at: number, skipped: number): number => {
  const sum = offsetAt(offsets, at) + skipped;
  if (sum > file.job.end || (offsets.width === 4 && sum > 0xffffffff)) file.failIn('too large chunk offset');
  return sum;
};

/** Where each chunk is; says which bytes of the file are sent. */
export const updateOffsets = (file: Mp4File, track: Track): void => {
  const offsets = offsetsOf(file, track);
  const { head, data, name, width } = offsets;
  if (track.startChunk >= track.chunks) file.failIn(`start time is out mp4 ${name} chunks`);
  data.start += track.startChunk * width;
  track.startOffset = moved(file, offsets, 0, track.startChunkSize);
  setOffset(offsets, 0, track.startOffset);
  let entries = track.chunks - track.startChunk;
  track.endOffset = file.mdatEnd;
  if (file.job.length > 0) {
    if (track.endChunk > track.chunks) file.failIn(`end time is out mp4 ${name} chunks`);
    entries = track.endChunk - track.startChunk;
    data.end = data.start + entries * width;
    if (entries > 0) track.endOffset = moved(file, offsets, (entries - 1) * width, track.endChunkSize);
  }
  if (entries === 0) {
    track.startOffset = file.job.end;
    track.endOffset = 0;
  }
  head.setU32(0, 16 + data.length);
  head.setU32(12, entries);
  track.size += 16 + data.length;
};

/** The chunks are sent from another place than they have in the file. */
export const adjustOffsets = (file: Mp4File, track: Track, adjustment: number): void => {
  const offsets = offsetsOf(file, track);
  const { data, width } = offsets;
  for (let at = 0; at < data.length; at += width) setOffset(offsets, at, offsetAt(offsets, at) + adjustment);
};
