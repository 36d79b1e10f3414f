/** `mp4` and `flv`: films from any time on, as a player sees them, and what can't be cut. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { atom, type FilmTrack, film, sampleOf, samplesIn, skipped, timed } from '../kit/film.ts';
import type { Message } from '../kit/message.ts';
import type { Subject } from '../kit/proxy.ts';
import { startProxy } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

const rig = new Rig();
let proxy: Subject;

/** Ten seconds each: 40 ms and 20 ms a sample. */
const pictures: FilmTrack = {
  name: 'p',
  timescale: 25,
  duration: 1,
  samples: 250,
  perChunk: 10,
  keyEvery: 50,
  wide: false,
};
const sound: FilmTrack = {
  name: 's',
  timescale: 1000,
  duration: 20,
  samples: 500,
  perChunk: 7,
  keyEvery: 0,
  wide: true,
};
const tracks = [pictures, sound];
const first = film(tracks, true);
const last = film(tracks, false);
const flv = Buffer.from(`FLV${'0123456789'.repeat(20_000)}`);

before(async () => {
  const www = join(rig.dir, 'www');
  mkdirSync(join(www, 'folder'), { recursive: true });
  const put = (name: string, bytes: Buffer): void => writeFileSync(join(www, name), bytes);
  put('first.mp4', first);
  put('last.mp4', last);
  put('a.flv', flv);
  put('empty.mp4', Buffer.alloc(0));
  put('cut.mp4', first.subarray(0, 200));
  put('no-moov.mp4', Buffer.concat([atom('ftyp', Buffer.alloc(8)), atom('mdat', Buffer.alloc(8))]));
  put(
    'no-mdat.mp4',
    Buffer.concat([atom('ftyp', Buffer.alloc(8)), first.subarray(16, 16 + first.readUInt32BE(16))]),
  );
  put('small.mp4', Buffer.from('\0\0\0\x05abcdefgh', 'latin1'));
  put('ftyp.mp4', atom('ftyp', Buffer.alloc(1025)));
  put('ftyps.mp4', Buffer.concat([atom('ftyp', Buffer.alloc(8)), atom('ftyp', Buffer.alloc(8))]));
  put('cmov.mp4', atom('moov', atom('cmov', Buffer.alloc(8))));
  proxy = await startProxy(rig, {
    http: `
      default_type video/mp4;
      server {
        listen 127.0.0.1:%port%;
        root %dir%/www;
        location / { mp4; }
        location /key/ { alias %dir%/www/; mp4; mp4_start_key_frame on; }
        location /small/ { alias %dir%/www/; mp4; mp4_buffer_size 100; mp4_max_buffer_size 200; }
        location /flv/ { alias %dir%/www/; flv; }
        location /sendfile/ { alias %dir%/www/; flv; sendfile on; }
      }`,
  });
});
after(() => rig.close());

const get = (target: string, headers = ''): Promise<Message> => proxy.get(target, headers);
const bytesOf = ({ body }: Message): Buffer => Buffer.from(body, 'latin1');
const samples = (track: FilmTrack, from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => sampleOf(track, from + i).toString());

describe('mp4', () => {
  for (const name of ['first.mp4', 'last.mp4']) {
    for (const [query, start, end] of [
      ['start=2', 2, 10],
      ['start=0.04', 0.04, 10],
      ['start=3.14159', 3.14, 10],
      ['end=4', 0, 4],
      ['start=2.5&end=2.9', 2.5, 2.9],
      ['start=5&end=99', 5, 10],
      ['start=9.96', 9.96, 10],
      ['start=4&end=3', 4, 10],
    ] as const) {
      test(`${name}?${query} has the samples of that time`, async () => {
        const got = await get(`/${name}?${query}`);
        assert.equal(got.status, 200);
        const bytes = bytesOf(got);
        assert.equal(Number(got.headers.get('content-length')), bytes.length);
        for (const [i, track] of tracks.entries()) {
          const at = (seconds: number): number =>
            Math.floor(Math.floor(Math.round(seconds * 1000) * track.timescale) / 1000 / track.duration);
          // The end is counted from the start on, each in the time of the track.
          const from = at(start);
          const to = end === 10 ? track.samples : from + at(end - start);
          assert.deepEqual(samplesIn(bytes, i).map(String), samples(track, from, to));
          assert.equal(timed(bytes, i), to - from);
        }
      });
    }
  }

  test('mp4_start_key_frame begins with one, and has players skip what comes before', async () => {
    const bytes = bytesOf(await get('/key/first.mp4?start=3'));
    assert.deepEqual(samplesIn(bytes, 0).map(String), samples(pictures, 50, 250));
    assert.equal(skipped(bytes, 0), 25);
    assert.equal(skipped(bytes, 1), 0);
  });

  test('the whole film with its head first is the file', async () => {
    for (const target of ['/first.mp4', '/first.mp4?start=0', '/first.mp4?start=x', '/last.mp4']) {
      assert.ok(bytesOf(await get(target)).equals(target.startsWith('/last') ? last : first), target);
    }
  });

  test('the whole film with its head last is sent the other way round', async () => {
    const bytes = bytesOf(await get('/last.mp4?start=0'));
    assert.deepEqual(samplesIn(bytes, 1).map(String), samples(sound, 0, 500));
  });

  test('one range of a piece, but not several', async () => {
    const whole = (await get('/first.mp4?start=2')).body;
    for (const [from, to] of [
      [0, 10],
      [100, whole.length - 5],
      [whole.length - 20, whole.length],
    ] as const) {
      const part = await get('/first.mp4?start=2', `Range: bytes=${from}-${to - 1}\r\n`);
      assert.equal(part.status, 206);
      assert.equal(part.body, whole.slice(from, to));
    }
    assert.equal((await get('/first.mp4?start=2', 'Range: bytes=0-1,5-6\r\n')).body, whole);
  });

  for (const [target, status, logged] of [
    ['/first.mp4?start=11', 500, 'mp4 start time exceeds file duration'],
    ['/small/first.mp4?start=1', 500, 'you may want to increase mp4_max_buffer_size'],
    ['/cut.mp4?start=1', 500, 'mp4 atom too large:'],
    ['/small.mp4?start=1', 500, 'mp4 atom is too small:5'],
    ['/ftyp.mp4?start=1', 500, 'mp4 ftyp atom is too large:1025'],
    ['/ftyps.mp4?start=1', 500, 'duplicate mp4 ftyp atom in "'],
    ['/no-moov.mp4?start=1', 500, 'no mp4 trak atoms were found in "'],
    ['/no-mdat.mp4?start=1', 500, 'no mp4 mdat atom was found in "'],
    ['/cmov.mp4?start=1', 500, 'mp4 compressed moov atom (cmov) is not supported'],
    ['/missing.mp4?start=1', 404, 'failed (2: No such file or directory)'],
  ] as const) {
    test(`${target}: ${status} ${logged}`, async () => {
      const from = proxy.log.length;
      assert.equal((await get(target)).status, status);
      await proxy.logged({ includes: logged, from });
    });
  }

  test('a folder is redirected to, POST is not allowed', async () => {
    assert.equal((await get('/folder')).status, 301);
    const wire = await proxy.connect();
    const post = 'POST /first.mp4 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n';
    assert.equal((await wire.request(post)).status, 405);
  });
});

describe('flv', () => {
  const HEAD = 'FLV\x01\x05\0\0\0\x09\0\0\0\0';
  for (const [query, start] of [
    ['start=100000', 100_000],
    ['start=1', 1],
    ['start=0', 0],
    ['start=999999', 0],
    ['start=x', 0],
  ] as const) {
    for (const folder of ['flv', 'sendfile']) {
      test(`/${folder}/?${query}`, async () => {
        const { body } = await get(`/${folder}/a.flv?${query}`);
        const file = flv.toString('latin1');
        assert.ok(body === (start === 0 ? file : HEAD + file.slice(start)));
      });
    }
  }

  test('a range of it', async () => {
    const got = await get('/flv/a.flv?start=100000', 'Range: bytes=10-14\r\n');
    assert.equal(got.body, `\0\0\0${flv.toString('latin1', 100_000, 100_002)}`);
  });
});
