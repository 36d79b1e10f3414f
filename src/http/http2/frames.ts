/** Frames of HTTP/2: their types, flags, error codes and settings (RFC 9113 sections 4, 6 and 7). */

export const DATA = 0;
export const HEADERS = 1;
export const PRIORITY = 2;
export const RST_STREAM = 3;
export const SETTINGS = 4;
export const PUSH_PROMISE = 5;
export const PING = 6;
export const GOAWAY = 7;
export const WINDOW_UPDATE = 8;
export const CONTINUATION = 9;

export const ACK = 0x1;
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;
export const PADDED = 0x8;
export const PRIORITIZED = 0x20;

export const NO_ERROR = 0x0;
export const PROTOCOL_ERROR = 0x1;
export const INTERNAL_ERROR = 0x2;
export const FLOW_CONTROL_ERROR = 0x3;
export const STREAM_CLOSED = 0x5;
export const FRAME_SIZE_ERROR = 0x6;
export const REFUSED_STREAM = 0x7;
export const CANCEL = 0x8;
export const COMPRESSION_ERROR = 0x9;
export const ENHANCE_YOUR_CALM = 0xb;

export const HEADER_TABLE_SIZE = 0x1;
export const ENABLE_PUSH = 0x2;
export const MAX_CONCURRENT_STREAMS = 0x3;
export const INITIAL_WINDOW_SIZE = 0x4;
export const MAX_FRAME_SIZE = 0x5;

export const FRAME_HEAD = 9;
export const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
export const LARGEST_WINDOW = 2 ** 31 - 1;
export const DEFAULT_WINDOW = 65535;
export const DEFAULT_FRAME_SIZE = 2 ** 14;
export const LARGEST_FRAME_SIZE = 2 ** 24 - 1;

/** The nine bytes before a frame's payload, one character a byte. */
export const frameHead = (length: number, type: number, flags: number, id: number): string =>
  String.fromCharCode(
    length >>> 16,
    (length >>> 8) & 255,
    length & 255,
    type,
    flags,
    (id >>> 24) & 127,
    (id >>> 16) & 255,
    (id >>> 8) & 255,
    id & 255,
  );

/** A number as four bytes. */
export const uint32 = (value: number): string =>
  String.fromCharCode((value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);

/** A setting: two bytes of name, four of value. */
export const setting = (id: number, value: number): string => `\0${String.fromCharCode(id)}${uint32(value)}`;
