/** The way of a reply's body: a chain of sinks that ends at the client's connection. */
import type { Request } from './request.ts';

export type Data = Uint8Array;

/** This is the reply's last piece (which may be empty). */
export const LAST = 1;
/** What has been written so far should reach the client now. */
export const FLUSH = 2;
/** What a filter holds back is handed on now: what follows comes by another way. */
export const SYNC = 8;
/** The bytes will not change and may be kept; without it they are only there during the call. */
export const OWNED = 4;

export interface BodySink {
  /** Takes a piece of the body. `bytes` may be empty when flags say what is meant. */
  write(request: Request, bytes: Data, flags: number): void;
}

/** A sink that changes the body, or looks at it, and hands it on; filter-chain.ts puts it in its place. */
export interface BodyFilter extends BodySink {
  /** Where the body goes from here. */
  next: BodySink;
}

/** The next of a filter that stands in no chain yet. */
export const NOWHERE: BodySink = { write: () => undefined };

/**
 * Who makes a reply's body. After a write it looks at `request.congested`: when true it stops until
 * `resumeOutput` is called.
 */
export interface Producer {
  resumeOutput(request: Request): void;
  /** The request is being ended before the reply was complete (the client is gone, a timeout): let go of everything. */
  abortOutput(request: Request): void;
}

export const NOTHING: Data = new Uint8Array(0);
