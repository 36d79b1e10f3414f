/** `proxy_bind` and its like: connections that come from an address of the configuration's choice. */
import { ALERT, CRIT, ERROR } from '../log/levels.ts';
import {
  type Connection,
  type ConnectionHandler,
  type ConnectTo,
  connect,
  connectFrom,
} from '../net/connection.ts';
import { SystemError } from '../platform/libc.ts';
import { transparentSocket } from '../platform/transparent-socket.ts';
import { parseAddress } from './address.ts';

export interface Local {
  readonly host: string;
  readonly port: number;
}

/** Where failures are reported: those of the value, and those of the attempt. */
export interface BindLog {
  invalid(level: number, message: string): void;
  log(level: number, message: string): void;
}

/** The local address that `text` means; undefined where it means none, which is logged. */
export const localAddress = (log: BindLog, text: string): Local | undefined => {
  const v6 = text.includes(':') && !text.startsWith('[') && text.indexOf(':') !== text.lastIndexOf(':');
  try {
    const { host, port, kind } = parseAddress(v6 ? `[${text}]` : text, 0);
    if (kind === 'numeric') return { host: host.replace(/^\[|\]$/g, ''), port };
  } catch {
    // Reported below, like a name.
  }
  log.invalid(ERROR, `invalid local address "${text}"`);
  return undefined;
};

/** Begins to connect from `text`. Undefined when that is not possible, which has been logged. */
export const connectBound = (
  handler: ConnectionHandler & BindLog,
  text: string,
  transparent: boolean,
  to: ConnectTo,
): Connection | undefined => {
  const local = text === '' || to.path !== undefined ? undefined : localAddress(handler, text);
  if (!local) return connect(to, handler);
  const { host, port } = local;
  if (!transparent) {
    return connect({ ...to, localAddress: host, localPort: port === 0 ? undefined : port }, handler);
  }
  try {
    return connectFrom(transparentSocket(host, port), to, handler);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const binding = error.call === 'bind()';
    handler.log(binding ? CRIT : ALERT, binding ? error.message.replace('()', `(${text})`) : error.message);
    return undefined;
  }
};
