/** FastCGI responders that do what a test tells them, and count the connections they accept. */
import type { FcgiRecord } from './fcgi-records.ts';
import { ABORT, answer, BEGIN, decodeParams, firstRecord, PARAMS, STDIN } from './fcgi-records.ts';
import type { Backend } from './http-backend.ts';
import { startScript } from './http-backend.ts';
import type { Rig } from './rig.ts';
import { type Wire, WireClosed } from './wire.ts';

/** One request as the responder got it. */
export interface FcgiRequest {
  /** True when the connection is to be kept (the flag of BEGIN_REQUEST). */
  readonly keep: boolean;
  readonly role: number;
  readonly params: ReadonlyMap<string, string>;
  readonly stdin: string;
  /** True when ABORT_REQUEST came. */
  readonly aborted: boolean;
  /** 1-based number of the connection, and of the request on it. */
  readonly connection: number;
  readonly request: number;
  /** How many PARAMS records there were, the empty one included. */
  readonly paramsRecords: number;
}

/** The bytes to send, or nothing when the handler sends by itself. */
export type FcgiHandler = (
  request: FcgiRequest,
  wire: Wire,
) => Buffer | undefined | Promise<Buffer | undefined>;

/** Reads the next record. */
export async function readRecord(wire: Wire): Promise<FcgiRecord> {
  const head = await wire.readBytes(8);
  const rest = await wire.readBytes(head.readUInt16BE(4) + head.readUInt8(6));
  const found = firstRecord(Buffer.concat([head, rest]));
  if (found === undefined) {
    throw new WireClosed('record cut');
  }
  return found.record;
}

/** Reads a whole request: BEGIN_REQUEST, PARAMS and STDIN through their empty records. */
export async function readRequest(wire: Wire, connection: number, request: number): Promise<FcgiRequest> {
  const begin = await readRecord(wire);
  if (begin.type !== BEGIN) {
    throw new Error(`expected BEGIN_REQUEST, got record type ${begin.type}`);
  }
  const params: Buffer[] = [];
  const stdin: Buffer[] = [];
  let aborted = false;
  let paramsRecords = 0;
  for (let open = true; open; ) {
    const each = await readRecord(wire);
    if (each.type === PARAMS) {
      params.push(each.content);
      paramsRecords++;
    } else if (each.type === STDIN) {
      stdin.push(each.content);
      open = each.content.length > 0;
    } else if (each.type === ABORT) {
      aborted = true;
      open = false;
    } else {
      throw new Error(`unexpected record type ${each.type}`);
    }
  }
  return {
    keep: (begin.content.readUInt8(2) & 1) === 1,
    role: begin.content.readUInt16BE(0),
    params: decodeParams(Buffer.concat(params)),
    stdin: Buffer.concat(stdin).toString('latin1'),
    aborted,
    connection,
    request,
    paramsRecords,
  };
}

/** The default handler: says which connection and request this is. */
export const sayFcgiConnection: FcgiHandler = (request) =>
  answer(
    `Content-Type: text/plain\r\nX-Connection: ${request.connection}\r\nX-Keep: ${request.keep ? 1 : 0}\r\n\r\n` +
      `connection ${request.connection} request ${request.request}\n`,
  );

/** A responder that answers each request by `handler`, and closes after it unless told to keep. */
export async function startFcgiBackend(
  rig: Rig,
  handler: FcgiHandler = sayFcgiConnection,
  at: number | string = 0,
): Promise<Backend> {
  return startScript(
    rig,
    async (wire, connection) => {
      for (let number = 1; ; number++) {
        const request = await readRequest(wire, connection, number);
        const bytes = await handler(request, wire);
        if (bytes !== undefined) {
          wire.send(bytes);
        }
        if (!request.keep) {
          wire.end();
        }
      }
    },
    at,
  );
}
