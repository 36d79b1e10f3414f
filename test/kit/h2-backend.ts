/** A server of HTTP/2 whose replies are scripted frame by frame. */
import { DATA, END_STREAM, HEADERS, PREFACE, RST_STREAM } from '../../src/http/http2/frames.ts';
import { block, type Frame, frame, H2End, type Pair } from './h2.ts';
import { type Backend, startScript } from './http-backend.ts';
import type { Rig } from './rig.ts';

/** A request as the server got it; `body` is what had come of it when the script was called. */
export interface H2Request {
  readonly id: number;
  /** `name: value` a line. */
  readonly fields: string;
  readonly body: string;
  /** 1-based number of the connection. */
  readonly connection: number;
}

const END_HEADERS = 4;

/** HEADERS with these fields, the status before them. */
export const head = (id: number, pairs: readonly Pair[] = [], flags = 0, status = '200'): string =>
  frame(HEADERS, END_HEADERS | flags, id, block([[':status', status], ...pairs]));

/** The field of that name. */
export const fieldOf = (fields: string, name: string): string | undefined =>
  new RegExp(`^${name}: (.*)$`, 'm').exec(fields)?.[1];

export class H2Peer extends H2End {
  /** Reads the client's preface. */
  async begin(): Promise<void> {
    await this.wire.expect(PREFACE);
  }

  /** Reads a request with all of its body. */
  async request(connection: number): Promise<H2Request> {
    const { id, fields, flags } = await this.until(HEADERS);
    let body = '';
    for (let last = flags; (last & END_STREAM) === 0; ) {
      const more: Frame = await this.until(DATA, id);
      body += more.payload;
      last = more.flags;
    }
    return { id, fields, body, connection };
  }

  /** Answers in full. */
  answer(id: number, body: string, pairs: readonly Pair[] = [], status = '200'): this {
    return this.send(head(id, pairs, 0, status), frame(DATA, END_STREAM, id, body));
  }

  reset(id: number, code: number): this {
    return this.send(frame(RST_STREAM, 0, id, `\0\0\0${String.fromCharCode(code)}`));
  }
}

/** What to do with a request that has come whole. */
export type Answering = (request: H2Request, peer: H2Peer) => void | Promise<void>;

/** A server that reads whole requests and answers each by `answer`, its own SETTINGS sent and those of the client acknowledged. */
export const startH2Backend = (rig: Rig, answer: Answering, at = 0): Promise<Backend> =>
  startScript(
    rig,
    async (wire, connection) => {
      const peer = new H2Peer(wire);
      await peer.begin();
      peer.settings().acknowledge();
      for (;;) await answer(await peer.request(connection), peer);
    },
    at,
  );

/** A server whose connections are scripted behind the client's preface. */
export const startH2Script = (
  rig: Rig,
  script: (peer: H2Peer, connection: number) => Promise<void>,
): Promise<Backend> =>
  startScript(rig, async (wire, connection) => {
    const peer = new H2Peer(wire);
    await peer.begin();
    await script(peer, connection);
  });
