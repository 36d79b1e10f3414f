/** The stream of one attempt: its windows both ways, and what the peer says about the connection meanwhile. */
import {
  ACK,
  CONTINUATION,
  DATA,
  DEFAULT_FRAME_SIZE,
  ENABLE_PUSH,
  END_HEADERS,
  END_STREAM,
  frameHead,
  GOAWAY,
  HEADER_TABLE_SIZE,
  HEADERS,
  INITIAL_WINDOW_SIZE,
  LARGEST_WINDOW,
  PING,
  PREFACE,
  PUSH_PROMISE,
  RST_STREAM,
  SETTINGS,
  setting,
  uint32,
  WINDOW_UPDATE,
} from '../../../http/http2/frames.ts';
import type { Connection } from '../../../net/connection.ts';
import type { Channel } from '../../contract.ts';
import type { Http2Link } from './link.ts';

/** No dynamic table, no pushes, the largest windows: how fast the reply comes is for TCP to say. */
const OUR_SETTINGS =
  setting(HEADER_TABLE_SIZE, 0) + setting(ENABLE_PUSH, 0) + setting(INITIAL_WINDOW_SIZE, LARGEST_WINDOW);
const OPENING =
  PREFACE +
  frameHead(OUR_SETTINGS.length, SETTINGS, 0, 0) +
  OUR_SETTINGS +
  frameHead(4, WINDOW_UPDATE, 0, 0) +
  uint32(LARGEST_WINDOW - 65535);

/** Below that a window of ours is opened again. */
const LOW_WINDOW = LARGEST_WINDOW / 4;
const SETTING_SIZE = 6;
const PING_SIZE = 8;
const GOAWAY_SIZE = 8;
/** As many answers wait for a peer that does not read them. */
const MOST_UNREAD = 1000;

/** What nginx calls the frames whose lengths are fixed. */
const NAMES: Readonly<Record<number, string>> = {
  [RST_STREAM]: 'rst stream',
  [SETTINGS]: 'settings',
  [PING]: 'ping',
  [GOAWAY]: 'goaway',
  [WINDOW_UPDATE]: 'window update',
};

const fits = (type: number, length: number): boolean => {
  switch (type) {
    case SETTINGS:
      return length % SETTING_SIZE === 0;
    case PING:
      return length === PING_SIZE;
    case GOAWAY:
      return length >= GOAWAY_SIZE;
    default:
      return length === 4;
  }
};

export class Http2Stream implements Channel {
  readonly id: number;
  /** The peer takes no other request on this connection. */
  leaving = false;
  #sendWindow: number;
  #receiveWindow = LARGEST_WINDOW;
  #unreadPings = 0;
  #unreadSettings = 0;

  constructor(
    readonly connection: Connection,
    readonly link: Http2Link,
  ) {
    this.id = link.nextStream();
    this.#sendWindow = link.initialWindow;
  }

  // ---- the request

  open(block: string, last: boolean): string {
    const { id } = this;
    let text = id === 1 ? OPENING : '';
    let type = HEADERS;
    let flags = last ? END_STREAM : 0;
    let at = 0;
    for (; block.length - at > DEFAULT_FRAME_SIZE; at += DEFAULT_FRAME_SIZE) {
      text += frameHead(DEFAULT_FRAME_SIZE, type, flags, id) + block.slice(at, at + DEFAULT_FRAME_SIZE);
      type = CONTINUATION;
      flags = 0;
    }
    return text + frameHead(block.length - at, type, flags | END_HEADERS, id) + block.slice(at);
  }

  get room(): number {
    return Math.max(0, Math.min(this.#sendWindow, this.link.sendWindow, DEFAULT_FRAME_SIZE));
  }

  dataHead(length: number, last: boolean): string {
    this.#sendWindow -= length;
    this.link.sendWindow -= length;
    return frameHead(length, DATA, last ? END_STREAM : 0, this.id);
  }

  // ---- what the peer says; each answers '' or what is wrong with it, in nginx's words

  /** A DATA frame begins. */
  receive(length: number): string {
    const { link } = this;
    const violation = (whose: string, window: number): string =>
      `upstream violated ${whose} flow control, received ${length} data frame with window ${window}`;
    if (length > this.#receiveWindow) return violation('stream', this.#receiveWindow);
    if (length > link.receiveWindow) return violation('connection', link.receiveWindow);
    this.#receiveWindow -= length;
    link.receiveWindow -= length;
    if (this.#receiveWindow < LOW_WINDOW || link.receiveWindow < LOW_WINDOW) this.#openWindows();
    return '';
  }

  #openWindows(): void {
    const { link } = this;
    const update = (id: number, window: number): string =>
      frameHead(4, WINDOW_UPDATE, 0, id) + uint32(LARGEST_WINDOW - window);
    this.connection.writeText(update(0, link.receiveWindow) + update(this.id, this.#receiveWindow));
    link.receiveWindow = LARGEST_WINDOW;
    this.#receiveWindow = LARGEST_WINDOW;
  }

  /** A frame that is not DATA begins, with a payload of `length` bytes. */
  begin(type: number, flags: number, stream: number, length: number): string {
    const name = NAMES[type];
    if (name === undefined) return type === PUSH_PROMISE ? 'upstream sent unexpected push promise frame' : '';
    if (stream !== 0 && type !== WINDOW_UPDATE && type !== RST_STREAM)
      return `upstream sent ${name} frame with non-zero stream id: ${stream}`;
    const isAnswer = (flags & ACK) !== 0;
    if (type === SETTINGS && isAnswer && length > 0)
      return `upstream sent settings frame with ack flag and non-zero length: ${length}`;
    if (!fits(type, length)) return `upstream sent ${name} frame with invalid length: ${length}`;
    if (type === PING && isAnswer) return 'upstream sent ping frame with ack flag';
    return this.#unread(type) > MOST_UNREAD ? `upstream sent too many ${name} frames` : '';
  }

  /** How many answers to such frames wait for a peer that does not read them, as far as they are counted. */
  #unread(type: number): number {
    if (this.connection.queued === 0) return 0;
    if (type === PING) return this.#unreadPings++;
    return type === SETTINGS ? this.#unreadSettings++ : 0;
  }

  /** A frame about the connection or about windows, which `begin` has found well; undefined: it is no such frame. */
  control(type: number, flags: number, stream: number, payload: Buffer): string | undefined {
    switch (type) {
      case GOAWAY:
        return this.#goaway(payload);
      case WINDOW_UPDATE:
        return this.#windowUpdate(stream, payload);
      case SETTINGS:
        return (flags & ACK) !== 0 ? '' : this.#settings(payload);
      case PING:
        this.connection.writeText(frameHead(PING_SIZE, PING, ACK, 0) + payload.latin1Slice());
        return '';
      default:
        return undefined;
    }
  }

  #goaway(payload: Buffer): string {
    if ((payload.readUInt32BE(0) & LARGEST_WINDOW) < this.id)
      return `upstream sent goaway with error ${payload.readUInt32BE(4)}`;
    this.leaving = true;
    return '';
  }

  #windowUpdate(stream: number, payload: Buffer): string {
    const more = payload.readUInt32BE(0) & LARGEST_WINDOW;
    if (more === 0) return 'upstream sent zero window update';
    const { link } = this;
    if (more > LARGEST_WINDOW - (stream === 0 ? link.sendWindow : this.#sendWindow))
      return 'upstream sent too large window update';
    if (stream === 0) link.sendWindow += more;
    else this.#sendWindow += more;
    return '';
  }

  #settings(payload: Buffer): string {
    for (let at = 0; at < payload.length; at += SETTING_SIZE) {
      if (payload.readUInt16BE(at) !== INITIAL_WINDOW_SIZE) continue;
      const size = payload.readUInt32BE(at + 2);
      const wrong = `upstream sent settings frame with too large initial window size: ${size}`;
      if (size > LARGEST_WINDOW) return wrong;
      const more = size - this.link.initialWindow;
      this.link.initialWindow = size;
      if (this.#sendWindow > 0 && more > LARGEST_WINDOW - this.#sendWindow) return wrong;
      this.#sendWindow += more;
    }
    this.connection.writeText(frameHead(0, SETTINGS, ACK, 0));
    return '';
  }
}
