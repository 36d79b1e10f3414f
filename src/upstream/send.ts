/** Sending the request: its head, its body from memory or a file, or the client's upload as it comes. */
import { streamBody } from '../http/read-body.ts';
import type { Connection } from '../net/connection.ts';
import { textOf } from '../net/latin1.ts';
import { awaitReply, BodySender } from './body-sender.ts';
import { sendFramed } from './send-framed.ts';
import { AWAITING, SENDING_ACTION, TUNNELLING } from './states.ts';
import { tunnelSent } from './tunnel.ts';
import type { Upstream } from './upstream.ts';

/** A request up to this size is sent as one text. */
const SMALL = 16384;

/** Sends the request over an established connection. */
export const send = (u: Upstream, connection: Connection): void => {
  u.action = SENDING_ACTION;
  u.requestSent = true;
  const channel = u.reply?.channel;
  if (channel) {
    sendFramed(u, connection, channel);
    return;
  }
  if (!u.hasBody) {
    u.bodySent = connection.writeText(u.text);
    awaitReply(u, connection);
    return;
  }
  if (u.streamed) {
    stream(u, connection);
    return;
  }
  const small = smallRequest(u);
  if (small !== undefined) {
    u.bodySent = connection.writeText(small);
    awaitReply(u, connection);
    return;
  }
  connection.writeText(u.text);
  u.sender = new BodySender(u.request);
  goOn(u, connection);
};

/** Head and body as one text, when they are small; else undefined. */
const smallRequest = (u: Upstream): string | undefined => {
  const { body } = u.request;
  const piece = body?.pieces[0];
  if (!body || !piece || body.file || body.pieces.length > 1) return undefined;
  if (u.text.length + piece.length > SMALL) return undefined;
  if (u.protocol.plainBody) return u.text + textOf(piece);
  let text = u.text;
  for (const part of u.protocol.bodyPiece(u, piece, true))
    text += typeof part === 'string' ? part : textOf(part);
  return text;
};

/** Writes a piece of the body in the protocol's form. False: wait for `onDrain`. */
const write = (u: Upstream, connection: Connection, bytes: Uint8Array, last: boolean): boolean => {
  if (u.protocol.plainBody) return bytes.length === 0 || connection.writeBytes(bytes);
  let go = true;
  const { socket } = connection;
  socket.cork();
  for (const part of u.protocol.bodyPiece(u, bytes, last)) {
    go = typeof part === 'string' ? connection.writeText(part) : connection.writeBytes(part);
  }
  socket.uncork();
  return go;
};

/** Sends as much of the body as the connection takes. */
const goOn = (u: Upstream, connection: Connection): void => {
  const { sender } = u;
  for (;;) {
    const bytes = sender?.next();
    if (!bytes) break;
    const go = write(u, connection, bytes, sender?.last === true);
    if (go) continue;
    connection.timer.start(u.conf.sendTimeout, u.now);
    return;
  }
  u.sender = undefined;
  u.bodySent = true;
  awaitReply(u, connection);
};

const stream = (u: Upstream, connection: Connection): void => {
  const { socket } = connection;
  // The head leaves together with what is already there of the body.
  socket.cork();
  connection.writeText(u.text);
  streamBody(u.request, u);
  socket.uncork();
};

/** A piece of a streamed body; only there during the call. */
export const sendPiece = (u: Upstream, bytes: Uint8Array): void => {
  const { connection } = u;
  if (u.framed) {
    u.framed.take(bytes);
    return;
  }
  // The reply has begun before the request was complete: the rest of it is not wanted.
  if (!connection || u.phase !== AWAITING || u.streamEnded) return;
  // The pieces of one read (the chunks of a chunked upload) leave together.
  connection.socket.cork();
  process.nextTick(uncork, connection.socket);
  const go = u.protocol.plainBody
    ? connection.writeCopy('', bytes)
    : write(u, connection, Buffer.from(bytes), false);
  if (go) return;
  u.streamPaused = true;
  u.request.stream.pauseBody();
  connection.timer.start(u.conf.sendTimeout, u.now);
};

const uncork = (socket: Connection['socket']): void => socket.uncork();

/** The streamed body is complete. */
export const sendStreamEnd = (u: Upstream): void => {
  const { connection } = u;
  u.streamEnded = true;
  if (u.framed) {
    u.framed.end();
    return;
  }
  if (!connection || u.phase !== AWAITING) return;
  write(u, connection, EMPTY, true);
  u.bodySent = !u.streamPaused;
  awaitReply(u, connection);
};
const EMPTY = new Uint8Array(0);

/** All that was written has been taken by the system. */
export const onSent = (u: Upstream): void => {
  const { connection } = u;
  if (!connection) return;
  if (u.phase === TUNNELLING) {
    tunnelSent(u);
    return;
  }
  if (u.framed) {
    u.framed.sent();
    return;
  }
  if (u.phase !== AWAITING) return;
  if (u.sender) {
    goOn(u, connection);
    return;
  }
  if (u.streamed && !u.streamEnded) {
    connection.timer.stop();
    if (!u.streamPaused) return;
    u.streamPaused = false;
    u.request.stream.resumeBody();
    return;
  }
  u.bodySent = true;
  awaitReply(u, connection);
};
