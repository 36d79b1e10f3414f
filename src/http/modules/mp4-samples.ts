/** The tables of a track's samples, cut to the time that is asked for: stts, stss, ctts (ngx_http_mp4). */
import type { Mp4File } from './mp4-file.ts';
import type { Span, Track } from './mp4-track.ts';

/** How many samples before `sample` the last key frame lies; 0 where that is not wanted. */
const keyFramePrefix = (file: Mp4File, track: Track, sample: number): number => {
  const data = track.parts.stssData;
  if (!file.job.keyFrame || !data) return 0;
  let prefix = 0;
  for (let at = 0; at < data.length; at += 4) {
    // The first one is sample 1.
    const sync = data.u32(at);
    if (sync === 0) file.failIn('zero sync sample');
    if (sync > sample + 1) break;
    prefix = sample + 1 - sync;
  }
  return prefix;
};

const seconds = (milliseconds: number, track: Track): number =>
  Math.floor((milliseconds * track.timescale) / 1000) + track.prefix;

/** Where a time lies in the table: the entry, its samples before that time, all samples before it. */
interface Found {
  readonly at: number;
  readonly entries: number;
  readonly rest: number;
  readonly sample: number;
}

/** Finds a time; only the number of all samples when it is behind the last one. */
const findTime = (data: Span, entries: number, time: number): Found | number => {
  let left = time;
  let sample = 0;
  for (let at = 0; at < data.length; at += 8) {
    const count = data.u32(at);
    const duration = data.u32(at + 4);
    if (left < count * duration) {
      const rest = Math.floor(left / duration);
      return { at, entries: entries - at / 8, rest, sample: sample + rest };
    }
    sample += count;
    left -= count * duration;
  }
  return sample;
};

const cutStart = (file: Mp4File, track: Track, data: Span): void => {
  const found = findTime(data, track.timeEntries, seconds(file.job.start, track));
  if (typeof found === 'number') file.failIn('start time is out mp4 stts samples');
  let { at, entries, rest } = found;
  let prefix = keyFramePrefix(file, track, found.sample);
  track.startSample = found.sample - prefix;
  let count = data.u32(at);
  let duration = data.u32(at + 4);
  while (rest < prefix) {
    track.prefix += rest * duration;
    prefix -= rest;
    at -= 8;
    entries++;
    count = data.u32(at);
    duration = data.u32(at + 4);
    rest = count;
  }
  track.prefix += prefix * duration;
  track.duration += track.prefix;
  rest -= prefix;
  data.setU32(at, count - rest);
  data.start += at;
  track.timeEntries = entries;
};

const cutEnd = (file: Mp4File, track: Track, data: Span): void => {
  const found = findTime(data, track.timeEntries, seconds(file.job.length, track));
  if (typeof found === 'number') {
    track.endSample = track.startSample + found;
    return;
  }
  data.setU32(found.at, found.rest);
  data.end = data.start + found.at + 8;
  track.timeEntries -= found.entries - 1;
  track.endSample = track.startSample + found.sample;
};

/** Which samples have which duration; says which samples are sent. */
export const updateStts = (file: Mp4File, track: Track): void => {
  const { stts, sttsData: data } = track.parts;
  if (!stts || !data) file.failIn('no mp4 stts atoms were found');
  cutStart(file, track, data);
  if (file.job.length > 0) cutEnd(file, track, data);
  stts.setU32(0, 16 + data.length);
  stts.setU32(12, track.timeEntries);
  track.size += 16 + data.length;
};

/** How many of the key frames come before a sample. */
const before = (data: Span, sample: number): number => {
  let at = 0;
  while (at < data.length && data.u32(at) < sample) at += 4;
  return at / 4;
};

/** Which samples are key frames. */
export const updateStss = (file: Mp4File, track: Track): void => {
  const { stss, stssData: data } = track.parts;
  if (!stss || !data) return;
  const first = before(data, track.startSample + 1);
  data.start += first * 4;
  track.syncEntries -= first;
  if (file.job.length > 0) {
    const count = before(data, track.endSample + 1);
    data.end = data.start + count * 4;
    track.syncEntries = count;
  }
  for (let at = 0; at < data.length; at += 4) data.setU32(at, data.u32(at) - track.startSample);
  if (track.syncEntries === 0) track.parts.stssData = undefined;
  stss.setU32(0, 16 + data.length);
  stss.setU32(12, track.syncEntries);
  track.size += 16 + data.length;
};

/** The entry that holds a sample, counted from 1, and how many of its samples come before it. */
const findSample = (
  data: Span,
  sample: number,
): { readonly at: number; readonly rest: number } | undefined => {
  let left = sample;
  for (let at = 0; at < data.length; at += 8) {
    const count = data.u32(at);
    if (left <= count) return { at, rest: left - 1 };
    left -= count;
  }
  return undefined;
};

/** How far from its place in the file a sample is shown. */
export const updateCtts = (file: Mp4File, track: Track): void => {
  const { parts } = track;
  const { ctts, cttsData: data } = parts;
  if (!ctts || !data) return;
  const first = findSample(data, track.startSample + 1);
  if (first) {
    data.setU32(first.at, data.u32(first.at) - first.rest);
    data.start += first.at;
    track.compositionEntries -= first.at / 8;
  } else {
    data.start = data.end;
    track.compositionEntries = 0;
  }
  const last = file.job.length > 0 ? findSample(data, track.endSample - track.startSample + 1) : undefined;
  if (last) {
    data.setU32(last.at, last.rest);
    data.end = data.start + last.at + 8;
    track.compositionEntries = last.at / 8 + 1;
  }
  if (track.compositionEntries === 0) {
    parts.ctts = undefined;
    parts.cttsData = undefined;
    return;
  }
  ctts.setU32(0, 16 + data.length);
  ctts.setU32(12, track.compositionEntries);
  track.size += 16 + data.length;
};
