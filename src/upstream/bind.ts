/** `proxy_bind` and its like: connections that come from an address of the configuration's choice. */
import { logRequest } from '../http/request-log.ts';
import { ALERT, CRIT, ERROR } from '../log/levels.ts';
import { type Connection, type ConnectTo, connect, connectFrom } from '../net/connection.ts';
import { SystemError } from '../platform/libc.ts';
import { transparentSocket } from '../platform/transparent-socket.ts';
import { parseAddress } from './address.ts';
import type { LocalAddress } from './contract.ts';
import type { Upstream } from './upstream.ts';

/** The local address that `text` means; undefined where it means none, which is logged. */
const localAddress = (
  u: Upstream,
  text: string,
): { readonly host: string; readonly port: number } | undefined => {
  const v6 = text.includes(':') && !text.startsWith('[') && text.indexOf(':') !== text.lastIndexOf(':');
  try {
    const { host, port, kind } = parseAddress(v6 ? `[${text}]` : text, 0);
    if (kind === 'numeric') return { host: host.replace(/^\[|\]$/g, ''), port };
  } catch {
    // Reported below, like a name.
  }
  logRequest(u.request, ERROR, `invalid local address "${text}"`);
  return undefined;
};

/** Begins to connect from there. Undefined when that is not possible, which has been logged. */
export const connectBound = (u: Upstream, bind: LocalAddress, to: ConnectTo): Connection | undefined => {
  const text = bind.address.text(u.request);
  const local = text === '' || to.path !== undefined ? undefined : localAddress(u, text);
  if (!local) return connect(to, u);
  const { host, port } = local;
  if (!bind.transparent) {
    return connect({ ...to, localAddress: host, localPort: port === 0 ? undefined : port }, u);
  }
  try {
    return connectFrom(transparentSocket(host, port), to, u);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const binding = error.call === 'bind()';
    u.log(binding ? CRIT : ALERT, binding ? error.message.replace('()', `(${text})`) : error.message);
    return undefined;
  }
};
