/** The PROXY protocol's header, versions 1 and 2, as a balancer in front sends it before anything else. */

/** The addresses that a PROXY protocol header names. */
export interface ProxyProtocol {
  readonly sourceAddress: string;
  readonly sourcePort: number;
  readonly serverAddress: string;
  readonly serverPort: number;
  /** The extra values of version 2 as they came, one character a byte. */
  readonly tlvs: string;
}

export const INCOMPLETE = 0;
export const INVALID = 1;

export interface ProxyHeader {
  /** Undefined where it names no addresses (UNKNOWN, LOCAL). */
  readonly addresses: ProxyProtocol | undefined;
  /** How many characters it took. */
  readonly length: number;
}

const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';
/** The longest header of version 1, with its CRLF. */
const LONGEST = 107;

/** What a header of version 1 begins with: one that cannot become either is not waited for. */
const KINDS = ['PROXY TCP4 ', 'PROXY TCP6 ', 'PROXY UNKNOWN'];

const V1 = /^PROXY (?:TCP4|TCP6) ([0-9a-fA-F.:]+) ([0-9a-fA-F.:]+) (\d{1,5}) (\d{1,5})\r\n/;

const ipv4 = (text: string, at: number): string => [0, 1, 2, 3].map((i) => text.charCodeAt(at + i)).join('.');

const word = (text: string, at: number): number => (text.charCodeAt(at) << 8) | text.charCodeAt(at + 1);

/** What an IPv4 address within IPv6 begins with. */
const MAPPED = '\0\0\0\0\0\0\0\0\0\0\xff\xff';

const ipv6 = (text: string, at: number): string => {
  if (text.startsWith(MAPPED, at)) return `::ffff:${ipv4(text, at + 12)}`;
  const words = [0, 1, 2, 3, 4, 5, 6, 7].map((i) => word(text, at + i * 2).toString(16));
  const url = new URL(`http://[${words.join(':')}]/`);
  return url.hostname.slice(1, -1);
};

const parseV2 = (text: string): ProxyHeader | typeof INCOMPLETE | typeof INVALID => {
  if (text.length < 16) return INCOMPLETE;
  const version = text.charCodeAt(12);
  if (version >> 4 !== 2) return INVALID;
  const length = 16 + word(text, 14);
  if (text.length < length) return INCOMPLETE;
  // Only PROXY, and only of streams, names the client; LOCAL is the balancer's own.
  if ((version & 15) !== 1 || (text.charCodeAt(13) & 15) !== 1) return { addresses: undefined, length };
  const family = text.charCodeAt(13) >> 4;
  if ((family === 1 && length < 28) || (family === 2 && length < 52)) return INVALID;
  if (family === 1) {
    return {
      length,
      addresses: {
        sourceAddress: ipv4(text, 16),
        serverAddress: ipv4(text, 20),
        sourcePort: word(text, 24),
        serverPort: word(text, 26),
        tlvs: text.slice(28, length),
      },
    };
  }
  if (family === 2) {
    return {
      length,
      addresses: {
        sourceAddress: ipv6(text, 16),
        serverAddress: ipv6(text, 32),
        sourcePort: word(text, 48),
        serverPort: word(text, 50),
        tlvs: text.slice(52, length),
      },
    };
  }
  return { addresses: undefined, length };
};

/** Why a header is invalid, in nginx's words; '' where it says nothing. */
export const whyInvalid = (text: string): string => {
  if (!text.startsWith(SIGNATURE)) return `broken header: "${text.split(/[\r\n]/, 1)[0] ?? ''}"`;
  const version = text.charCodeAt(12) >> 4;
  return version === 2 ? '' : `unknown PROXY protocol version: ${version}`;
};

/** Reads the header at the start of what a client sent. */
export const parseProxyHeader = (text: string): ProxyHeader | typeof INCOMPLETE | typeof INVALID => {
  if (text.startsWith(SIGNATURE.slice(0, Math.min(text.length, SIGNATURE.length)))) return parseV2(text);
  if (!KINDS.some((kind) => kind.startsWith(text.slice(0, kind.length)))) return INVALID;
  const end = text.indexOf('\r\n');
  if (end < 0) return text.length < LONGEST ? INCOMPLETE : INVALID;
  if (end + 2 > LONGEST) return INVALID;
  if (text.startsWith('PROXY UNKNOWN')) return { addresses: undefined, length: end + 2 };
  const match = V1.exec(text);
  if (!match || Number(match[3]) > 65535 || Number(match[4]) > 65535) return INVALID;
  const [all, sourceAddress = '', serverAddress = '', sourcePort, serverPort] = match;
  return {
    length: all.length,
    addresses: {
      sourceAddress,
      serverAddress,
      sourcePort: Number(sourcePort),
      serverPort: Number(serverPort),
      tlvs: '',
    },
  };
};
