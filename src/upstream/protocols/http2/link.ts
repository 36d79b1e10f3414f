/** What lasts as long as a connection of HTTP/2 to a peer. One request uses it at a time, each on a stream of its own. */
import { DEFAULT_WINDOW, LARGEST_WINDOW } from '../../../http/http2/frames.ts';

export class Http2Link {
  /** Bytes that the peer takes on a new stream, before it says more. */
  initialWindow = DEFAULT_WINDOW;
  /** Bytes that it takes on the connection, and those that we do. */
  sendWindow = DEFAULT_WINDOW;
  receiveWindow = LARGEST_WINDOW;
  /** The stream of the latest request; -1: there was none. */
  stream = -1;

  /** Begins the next request's stream. */
  nextStream(): number {
    this.stream += 2;
    return this.stream;
  }
}
