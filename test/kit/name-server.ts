/** A name server on UDP and TCP that answers what a test tells it, and keeps what it was asked. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { listenedPort } from './ports.ts';
import type { Rig } from './rig.ts';

const TYPES: Readonly<Record<string, number>> = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, SRV: 33, DNAME: 39 };

/** A question as it came. */
export interface Query {
  readonly id: number;
  readonly name: string;
  /** `A`, `AAAA`, `SRV`. */
  readonly type: string;
  readonly tcp: boolean;
  /** The port it came from. */
  readonly from: number;
  readonly bytes: Buffer;
}

/** A reply, as far as it differs from an empty one. */
export interface Answer {
  /** `A 127.0.0.1`, `CNAME other.test`, `SRV 1 5 8080 host.test`, each maybe with a ttl in front: `30 A 127.0.0.1`. */
  readonly records?: readonly string[];
  /** RCODE. */
  readonly code?: number;
  readonly truncated?: boolean;
  /** Changes the bytes before they are sent. */
  readonly change?: (bytes: Buffer) => Buffer;
}

/** What to answer; undefined: nothing is sent. */
export type Answers = (query: Query) => Answer | undefined | Promise<Answer | undefined>;

/** A name as labels. */
export const nameBytes = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split('.')
      .filter((label) => label !== '')
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);

const words = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 2);
  for (const [i, value] of values.entries()) bytes.writeUInt16BE(value, i * 2);
  return bytes;
};

const v6Bytes = (text: string): Buffer => {
  const [head = '', tail] = text.split('::');
  const parts = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16));
  const [first, last] = [parts(head), parts(tail ?? '')];
  return words(...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last);
};

const dataOf = (type: string, values: readonly string[]): Buffer => {
  const [first = '', second = '', third = '', fourth = ''] = values;
  switch (type) {
    case 'A':
      return Buffer.from(first.split('.').map(Number));
    case 'AAAA':
      return v6Bytes(first);
    case 'SRV':
      return Buffer.concat([words(Number(first), Number(second), Number(third)), nameBytes(fourth)]);
    case 'TXT':
      return Buffer.from(first, 'latin1');
    default:
      return nameBytes(first);
  }
};

/** A record whose name is a pointer to the question. */
const recordBytes = (text: string): Buffer => {
  const parts = text.split(' ');
  const ttl = /^\d+$/.test(parts[0] ?? '') ? Number(parts.shift()) : 3600;
  const [type = '', ...values] = parts;
  const data = dataOf(type, values);
  return Buffer.concat([words(0xc00c, TYPES[type] ?? 0, 1, ttl >>> 16, ttl & 0xffff, data.length), data]);
};

/** The reply to a query as bytes. */
export const replyBytes = (query: Pick<Query, 'id' | 'name' | 'type'>, answer: Answer): Buffer => {
  const { records = [], code = 0, truncated = false, change } = answer;
  const bytes = Buffer.concat([
    words(query.id, 0x8180 | (truncated ? 0x200 : 0) | code, 1, records.length, 0, 0),
    nameBytes(query.name),
    words(TYPES[query.type] ?? 0, 1),
    ...records.map(recordBytes),
  ]);
  return change ? change(bytes) : bytes;
};

const parse = (bytes: Buffer, tcp: boolean, from: number): Query => {
  const labels: string[] = [];
  let at = 12;
  for (let length = bytes[at] ?? 0; length > 0; length = bytes[at] ?? 0) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  const type = bytes.readUInt16BE(at + 1);
  const [name = ''] = Object.entries(TYPES).find(([, number]) => number === type) ?? [];
  return { id: bytes.readUInt16BE(0), name: labels.join('.'), type: name, tcp, from, bytes };
};

export class TestNameServer {
  readonly queries: Query[] = [];
  port = 0;
  #udp: UdpSocket | undefined = undefined;

  constructor(public answers: Answers) {}

  /** How often a name was asked for, with one type or any. */
  asked(name: string, type?: string): number {
    return this.queries.filter((query) => query.name === name && (type ?? query.type) === query.type).length;
  }

  /** Sends a reply to a query that another server was asked. */
  send(query: Query, answer: Answer): void {
    this.#udp?.send(replyBytes(query, answer), query.from, '127.0.0.1');
  }

  async listen(rig: Rig, host = '127.0.0.1', port = 0): Promise<void> {
    const tcp = createServer((socket) => this.#serve(socket));
    tcp.listen(port, host);
    await once(tcp, 'listening');
    this.port = listenedPort(tcp);
    const udp = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    this.#udp = udp;
    udp.bind(this.port, host);
    await once(udp, 'listening');
    udp.on('message', (bytes, { port: from, address }) => {
      void this.#answer(bytes, false, from).then((reply) => {
        if (reply) udp.send(reply, from, address);
      });
    });
    rig.defer(() => {
      udp.close();
      tcp.close();
    });
  }

  async #answer(bytes: Buffer, tcp: boolean, from: number): Promise<Buffer | undefined> {
    const query = parse(bytes, tcp, from);
    this.queries.push(query);
    const answer = await this.answers(query);
    return answer && replyBytes(query, answer);
  }

  #serve(socket: Socket): void {
    socket.on('error', () => socket.destroy());
    socket.on('data', (bytes: Buffer) => {
      void this.#answer(bytes.subarray(2), true, socket.remotePort ?? 0).then((reply) => {
        if (reply) socket.write(Buffer.concat([words(reply.length), reply]));
      });
    });
  }
}

/** The answers of a table: `name` or `name TYPE` to records. Other types of a name are empty, other names unknown. */
export const table =
  (rows: Readonly<Record<string, readonly string[] | Answer>>): Answers =>
  ({ name, type }) => {
    const row = rows[`${name} ${type}`] ?? rows[name];
    if (row === undefined)
      return Object.keys(rows).some((key) => key.startsWith(`${name} `)) ? {} : { code: 3 };
    if ('length' in row) {
      return { records: row.filter((record) => new RegExp(`^(\\d+ )?(${type}|CNAME) `).test(record)) };
    }
    return row;
  };

/** A name server that answers by `answers`, closed with the rig. */
export async function startNameServer(rig: Rig, answers: Answers, host?: string): Promise<TestNameServer> {
  const server = new TestNameServer(answers);
  await server.listen(rig, host);
  return server;
}
