/** Variables of the connection that carries a request. */
import { isIPv6 } from 'node:net';
import { ERROR } from '../../log/levels.ts';
import { addressBytes } from '../../net/addresses.ts';
import { tlvValue } from '../../net/proxy-tlv.ts';
import { monotonic } from '../../net/timers.ts';
import { type TcpMeasure, tcpMeasure } from '../../platform/tcp-info.ts';
import type { Request } from '../request.ts';
import { logRequest } from '../request-log.ts';
import type { Value, VariableDefinition } from '../variables.ts';
import { asSeconds } from './variables-reply.ts';

/** What the kernel says of the client's TCP connection at this moment. */
const tcpInfo = (measure: TcpMeasure): VariableDefinition => ({
  get: ({ stream }) => {
    const value = tcpMeasure(stream.descriptor ?? -1, measure);
    return value === undefined ? undefined : `${value}`;
  },
});

/** `127.0.0.1`, an IPv6 address, or `unix:`. */
const remoteAddress = ({ stream }: Request): string => (stream.unix ? 'unix:' : stream.remoteAddress);

const port = (value: number): string => (value > 0 && value < 65536 ? `${value}` : '');

const binaryAddress = (request: Request): Value => {
  if (request.stream.unix) return 'unix:';
  const bytes = addressBytes(request.stream.remoteAddress);
  return bytes ? String.fromCharCode(...bytes) : '';
};

const localAddress = ({ stream }: Request): string =>
  (stream.peer ?? stream).unix && !isIPv6(stream.localAddress) && !stream.localAddress.startsWith('unix:')
    ? `unix:${stream.localAddress}`
    : stream.localAddress;

export const connectionVariables: Readonly<Record<string, VariableDefinition>> = {
  remote_addr: { get: remoteAddress, cached: true },
  remote_port: { get: ({ stream }) => port(stream.remotePort), cached: true },
  binary_remote_addr: { get: binaryAddress, cached: true },
  server_addr: { get: localAddress },
  server_port: { get: ({ stream }) => port(stream.localPort) },
  scheme: { get: ({ stream }) => (stream.secure ? 'https' : 'http') },
  https: { get: ({ stream }) => (stream.secure ? 'on' : '') },
  connection: { get: ({ stream }) => `${stream.number}` },
  connection_requests: { get: ({ stream }) => `${stream.requests}` },
  connection_time: {
    get: ({ stream }) => asSeconds(stream.started === undefined ? 0 : monotonic() - stream.started),
  },
  proxy_protocol_addr: { get: ({ stream }) => stream.proxyProtocol?.sourceAddress },
  proxy_protocol_port: {
    get: ({ stream }) => (stream.proxyProtocol ? port(stream.proxyProtocol.sourcePort) : undefined),
  },
  proxy_protocol_server_addr: { get: ({ stream }) => stream.proxyProtocol?.serverAddress },
  proxy_protocol_server_port: {
    get: ({ stream }) => (stream.proxyProtocol ? port(stream.proxyProtocol.serverPort) : undefined),
  },
  proxy_protocol_tlv_: {
    get: (request, name) => {
      const { proxyProtocol } = request.stream;
      const wanted = name.slice('proxy_protocol_tlv_'.length);
      return (
        proxyProtocol && tlvValue(proxyProtocol.tlvs, wanted, (reason) => logRequest(request, ERROR, reason))
      );
    },
    cached: true,
  },
  tcpinfo_rtt: tcpInfo('rtt'),
  tcpinfo_rttvar: tcpInfo('rttvar'),
  tcpinfo_snd_cwnd: tcpInfo('snd_cwnd'),
  tcpinfo_rcv_space: tcpInfo('rcv_space'),
};
