/**
 * Datagrams by the system's own calls: Node tells neither to which of this machine's addresses one came, nor lets it
 * be answered from there. Calls that may fail answer a negative errno; none of them waits.
 */
import { endianness } from 'node:os';
import type { KoffiFunc } from 'koffi';
import { ipv6Text } from './ipv6-text.ts';
import { libc, libcAvailable } from './libc.ts';

type Receive = KoffiFunc<(fd: number, message: number, flags: number) => number>;
type Transfer = KoffiFunc<(fd: number, at: number, length: number, flags: number) => number>;

interface Calls {
  readonly recvmsg: Receive;
  readonly sendmsg: Receive;
  readonly recv: Transfer;
  readonly send: Transfer;
}

/** The longest that UDP has. */
const LONGEST = 65_535;
/** What has come; only there until the next datagram is received. */
export const received: Buffer = Buffer.allocUnsafeSlow(LONGEST);
/** Where bytes that stand elsewhere are copied to be sent. */
const scratch = Buffer.allocUnsafeSlow(LONGEST);

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_IP = 0;
const IP_PKTINFO = 8;
const IPPROTO_IPV6 = 41;
const IPV6_PKTINFO = 50;
const MSG_TRUNC = 0x20;
const MSG_CTRUNC = 0x8;
const MSG_NOSIGNAL = 0x4000;
export const EINTR = 4;
export const EAGAIN = 11;
export const EMSGSIZE = 90;
/** What `receiveFrom` answers where a part of what came is lost. */
export const TRUNCATED = -100_000;

/** Where the parts of a message stand in its block: `struct msghdr`, its `struct iovec`, a name, a control message. */
const VECTOR = 64;
const NAME = 128;
const NAME_SIZE = 112;
const CONTROL = 256;
const CONTROL_SIZE = 64;
/** Fields of `struct msghdr`, and the vector's length, in 32-bit words. */
const NAME_LENGTH = 2;
const CONTROL_LENGTH = 10;
const FLAGS = 12;
const BYTES_LENGTH = VECTOR / 4 + 2;
/** A control message: its length, level and type, then its data. */
const LEVEL = CONTROL + 8;
const TYPE = CONTROL + 12;
const DATA = CONTROL + 16;

/** A `struct msghdr` with all that it points to. */
class Message {
  readonly block: Buffer = Buffer.alloc(512);
  readonly words: Uint32Array = new Uint32Array(this.block.buffer, this.block.byteOffset, 128);
  readonly at: number = Number(libc().koffi.address(this.block));

  constructor() {
    this.#pointer(0, this.at + NAME);
    this.#pointer(16, this.at + VECTOR);
    this.#pointer(24, 1);
    this.#pointer(32, this.at + CONTROL);
  }

  #pointer(offset: number, value: number): void {
    this.block.writeBigUInt64LE(BigInt(value), offset);
  }

  /** What is received into, or sent. */
  bytes(at: number, length: number): void {
    this.#pointer(VECTOR, at);
    this.words[BYTES_LENGTH] = length;
  }
}

class Datagrams {
  readonly incoming = new Message();
  readonly outgoing = new Message();
  readonly receivedAt: number = Number(libc().koffi.address(received));
  readonly scratchAt: number = Number(libc().koffi.address(scratch));
  readonly calls: Calls;

  constructor() {
    const { library } = libc();
    this.calls = {
      recvmsg: library.func('recvmsg', 'int64', ['int', 'int64', 'int']),
      sendmsg: library.func('sendmsg', 'int64', ['int', 'int64', 'int']),
      recv: library.func('recv', 'int64', ['int', 'int64', 'size_t', 'int']),
      send: library.func('send', 'int64', ['int', 'int64', 'size_t', 'int']),
    };
    this.incoming.bytes(this.receivedAt, LONGEST);
  }
}

let loaded: Datagrams | undefined;
const datagrams = (): Datagrams => {
  loaded ??= new Datagrams();
  return loaded;
};

/** Whether the calls can be made: the C library is there, and lays structures out as is known here. */
export const datagramsAvailable = (): boolean =>
  libcAvailable() && endianness() === 'LE' && libc().koffi.sizeof('void *') === 8;

/** A result, or the errno of the call. */
const outcome = (result: number): number => (result < 0 ? -libc().koffi.errno() : result);

/** Who a datagram came from, and where it came to: what an answer needs. */
export interface Correspondent {
  /** '' for unix sockets. */
  readonly address: string;
  /** Of a unix socket that has one. */
  readonly path: string;
  readonly port: number;
  /** Ours; '' where the socket has only one. */
  readonly localAddress: string;
  /** The name and the control message of answers, as the system reads them. */
  readonly name: Buffer;
  readonly control: Buffer | undefined;
}

/** Takes a datagram; `wildcard`: the socket has all addresses, and is asked for the one that this came to. */
export const receiveFrom = (fd: number, wildcard: boolean): number => {
  const { incoming, calls } = datagrams();
  const { words } = incoming;
  words[NAME_LENGTH] = NAME_SIZE;
  words[CONTROL_LENGTH] = wildcard ? CONTROL_SIZE : 0;
  words[FLAGS] = 0;
  const length = outcome(calls.recvmsg(fd, incoming.at, 0));
  if (length >= 0 && ((words[FLAGS] ?? 0) & (MSG_TRUNC | MSG_CTRUNC)) !== 0) return TRUNCATED;
  return length;
};

/** Where the control message of the last datagram has our address, as [from, to]; undefined where it has none. */
const localSpan = ({ block, words }: Message): readonly [number, number] | undefined => {
  if ((words[CONTROL_LENGTH] ?? 0) < DATA - CONTROL) return undefined;
  const level = block.readInt32LE(LEVEL);
  const type = block.readInt32LE(TYPE);
  if (level === IPPROTO_IP && type === IP_PKTINFO) return [DATA + 8, DATA + 12];
  if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO) return [DATA, DATA + 16];
  return undefined;
};

/** Names both ends of the datagram that came last; '' for a client that has no name, as unix sockets may. */
export const correspondentKey = (): string => {
  const { incoming } = datagrams();
  const { block, words } = incoming;
  const length = words[NAME_LENGTH] ?? 0;
  if (length <= 2 || (block[NAME] === AF_UNIX && block[NAME + 2] === 0)) return '';
  const name = block.latin1Slice(NAME, NAME + length);
  const local = localSpan(incoming);
  return local ? name + block.latin1Slice(...local) : name;
};

/** A unix socket that has no name: nothing can be sent to it. */
const NAMELESS = Buffer.alloc(16);
NAMELESS[0] = AF_UNIX;

const addressText = (bytes: Buffer): string => (bytes.length === 4 ? bytes.join('.') : ipv6Text(bytes));

/** Both ends of the datagram that came last. */
export const correspondent = (): Correspondent => {
  const { incoming } = datagrams();
  const { block, words } = incoming;
  const length = words[NAME_LENGTH] ?? 0;
  const name = length > 0 ? Buffer.from(block.subarray(NAME, NAME + length)) : NAMELESS;
  const family = name.readUInt16LE();
  const span = localSpan(incoming);
  const local = span && block.subarray(...span);
  const isInet = family === AF_INET || family === AF_INET6;
  return {
    address: isInet ? addressText(family === AF_INET ? name.subarray(4, 8) : name.subarray(8, 24)) : '',
    path: isInet ? '' : (name.latin1Slice(2).split('\0')[0] ?? ''),
    port: isInet ? name.readUInt16BE(2) : 0,
    localAddress: local ? addressText(local) : '',
    name,
    control: local && sourceMessage(local),
  };
};

/** The control message that makes the system answer from an address. */
const sourceMessage = (local: Buffer): Buffer => {
  const v4 = local.length === 4;
  const size = v4 ? 28 : 36;
  const message = Buffer.alloc(v4 ? 32 : 40);
  message.writeUInt32LE(size);
  message.writeInt32LE(v4 ? IPPROTO_IP : IPPROTO_IPV6, 8);
  message.writeInt32LE(v4 ? IP_PKTINFO : IPV6_PKTINFO, 12);
  local.copy(message, v4 ? 20 : 16);
  return message;
};

/** Where bytes stand for the system: what was received stays where it is. */
const addressOf = (bytes: Uint8Array): number => {
  const { receivedAt, scratchAt } = datagrams();
  if (bytes.buffer === received.buffer) return receivedAt + bytes.byteOffset - received.byteOffset;
  scratch.set(bytes);
  return scratchAt;
};

/** Sends a datagram from a socket that has many correspondents. */
export const sendTo = (fd: number, bytes: Uint8Array, { name, control }: Correspondent): number => {
  if (bytes.length > LONGEST) return -EMSGSIZE;
  const { outgoing, calls } = datagrams();
  const { block, words } = outgoing;
  name.copy(block, NAME);
  words[NAME_LENGTH] = name.length;
  control?.copy(block, CONTROL);
  words[CONTROL_LENGTH] = control?.length ?? 0;
  outgoing.bytes(addressOf(bytes), bytes.length);
  return outcome(calls.sendmsg(fd, outgoing.at, MSG_NOSIGNAL));
};

/** Takes a datagram, of which `most` bytes are kept, from a socket with one peer. */
export const receive = (fd: number, most: number): number => {
  const { receivedAt, calls } = datagrams();
  return outcome(calls.recv(fd, receivedAt, Math.min(most, LONGEST), 0));
};

/** Sends a datagram to the peer of a socket. */
export const send = (fd: number, bytes: Uint8Array): number => {
  if (bytes.length > LONGEST) return -EMSGSIZE;
  return outcome(datagrams().calls.send(fd, addressOf(bytes), bytes.length, MSG_NOSIGNAL));
};
