import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BodyConsumer } from '../../../src/http/body.ts';
import { type BodyReader, prereadBody, streamBody } from '../../../src/http/read-body.ts';
import type { Request } from '../../../src/http/request.ts';
import { makeRequest } from './conf-rig.ts';

/** A client whose body comes in pieces: the first is there with the head. */
const clientOf = (wire: readonly string[], chunked: boolean) => {
  const request: Request = makeRequest();
  const events: string[] = [];
  const reads = wire.map((text) => Buffer.from(text, 'latin1'));
  let reader: BodyReader | undefined;
  const feed = (): void => {
    const bytes = reads.shift();
    if (!bytes || !reader) return;
    reader.feed(bytes, 0, bytes.length);
    if (reader.complete) reader.finish();
  };
  Object.assign(request.stream, {
    readBody(given: BodyReader) {
      reader = given;
      feed();
    },
    pauseBody: () => events.push('paused'),
    resumeBody: () => events.push('resumed'),
  });
  request.headers.chunked = chunked;
  request.headers.contentLength = chunked ? -1 : wire.join('').length;
  const consumer: BodyConsumer = {
    bodyPiece: (_request, bytes) => events.push(Buffer.from(bytes).toString('latin1')),
    bodyEnd: () => events.push('end'),
  };
  return { request, consumer, events, feed };
};

const withLimits = (request: Request): Request =>
  Object.assign(request, { location: { core: { client_max_body_size: 0 } } });

describe('a body that is passed on as it comes', () => {
  it('is read whole when all of it came with the head', () => {
    const { request, events } = clientOf(['3\r\nabc\r\n0\r\n\r\n'], true);
    assert.equal(prereadBody(withLimits(request)), true);
    assert.deepEqual(events, []);
    assert.equal(Buffer.concat(request.body?.pieces ?? []).toString(), 'abc');
  });

  it('goes on behind what came with the head, held back until then', () => {
    const { request, consumer, events, feed } = clientOf(['01', '23', '4'], false);
    assert.equal(prereadBody(withLimits(request)), false);
    assert.deepEqual(events, ['paused']);
    streamBody(request, consumer);
    feed();
    feed();
    assert.deepEqual(events, ['paused', '01', 'resumed', '23', '4', 'end']);
  });

  it('gives the chunks of one read as one piece', () => {
    const wire = ['2\r\nab\r\n1\r\nc\r\n', '1\r\nd\r\n2\r\nef\r\n3', '\r\nghi\r\n0\r\n\r\n'];
    const { request, consumer, events, feed } = clientOf(wire, true);
    assert.equal(prereadBody(withLimits(request)), false);
    streamBody(request, consumer);
    feed();
    feed();
    assert.deepEqual(events, ['paused', 'abc', 'resumed', 'def', 'ghi', 'end']);
  });
});
