import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'node:test';

const clock = new URL('../../../src/log/clock.js', import.meta.url).href;
const script = `import * as c from ${JSON.stringify(clock)};
const t = Number(process.argv[1]);
console.log([c.errorTime(t), c.localTime(t), c.isoTime(t), c.syslogTime(t)].join('|'));`;
const shown = (zone: string, time: number): string =>
  execFileSync(process.execPath, ['--input-type=module', '-e', script, String(time)], {
    env: { ...process.env, TZ: zone },
    encoding: 'utf8',
  }).trim();

const rows: readonly (readonly [zone: string, time: string, expected: string])[] = [
  [
    'UTC',
    '2026-01-05T01:02:03.999Z',
    '2026/01/05 01:02:03|05/Jan/2026:01:02:03 +0000|2026-01-05T01:02:03+00:00|Jan  5 01:02:03',
  ],
  [
    'Asia/Kolkata',
    '2026-12-31T23:00:00Z',
    '2027/01/01 04:30:00|01/Jan/2027:04:30:00 +0530|2027-01-01T04:30:00+05:30|Jan  1 04:30:00',
  ],
  [
    'America/St_Johns',
    '2026-07-15T12:00:00Z',
    '2026/07/15 09:30:00|15/Jul/2026:09:30:00 -0230|2026-07-15T09:30:00-02:30|Jul 15 09:30:00',
  ],
];

describe('the time in logs', () => {
  for (const [zone, time, expected] of rows) {
    it(`follows the zone ${zone}`, () => assert.equal(shown(zone, Date.parse(time)), expected));
  }
});
