/** The variables of stream that are always there (ngx_stream_variables). */
import { hostname } from 'node:os';
import { isoTime, localTime } from '../../log/clock.ts';
import { ERROR } from '../../log/levels.ts';
import { addressBytes } from '../../net/addresses.ts';
import { tlvValue } from '../../net/proxy-tlv.ts';
import { wallClock } from '../../net/timers.ts';
import { NGINX_VERSION } from '../../process/version.ts';
import type { Value } from '../../values/variables.ts';
import { type StreamVariables, streamModule } from '../module.ts';
import type { Session } from '../session.ts';

/** Milliseconds as `1.234`. */
export const asSeconds = (ms: number): string => (Math.trunc(ms) / 1000).toFixed(3);

/** A port as variables show it; '' for none. */
export const portText = (value: number): string => (value > 0 && value < 65536 ? `${value}` : '');

const binaryAddress = ({ unix, remoteAddress, clientText }: Session): Value => {
  if (unix) return clientText;
  const bytes = addressBytes(remoteAddress);
  return bytes ? String.fromCharCode(...bytes) : '';
};

const TLV = 'proxy_protocol_tlv_';

const variables: StreamVariables = {
  binary_remote_addr: { get: binaryAddress, cached: true },
  remote_addr: { get: ({ clientText }) => clientText, cached: true },
  remote_port: { get: ({ remotePort }) => portText(remotePort), cached: true },
  proxy_protocol_addr: { get: ({ proxyProtocol }) => proxyProtocol?.sourceAddress },
  proxy_protocol_port: {
    get: ({ proxyProtocol }) => proxyProtocol && portText(proxyProtocol.sourcePort),
  },
  proxy_protocol_server_addr: { get: ({ proxyProtocol }) => proxyProtocol?.serverAddress },
  proxy_protocol_server_port: {
    get: ({ proxyProtocol }) => proxyProtocol && portText(proxyProtocol.serverPort),
  },
  [TLV]: {
    get: (session, name) => {
      const { proxyProtocol } = session;
      const wanted = name.slice(TLV.length);
      return proxyProtocol && tlvValue(proxyProtocol.tlvs, wanted, (reason) => session.log(ERROR, reason));
    },
    cached: true,
  },
  server_addr: {
    get: ({ local, listening }) => {
      const { address = '' } = local;
      return address === '' && listening.startsWith('unix:') ? listening : address;
    },
    cached: true,
  },
  server_port: { get: ({ local }) => portText(local.port ?? 0), cached: true },
  server_name: { get: ({ server }) => server.name },
  bytes_sent: { get: ({ sent }) => `${sent}` },
  bytes_received: { get: ({ received }) => `${received}` },
  session_time: { get: ({ started }) => asSeconds(Math.max(0, wallClock() - started)) },
  status: { get: ({ status }) => `${status}`.padStart(3, '0') },
  connection: { get: ({ connection }) => `${connection.number}` },
  nginx_version: { get: () => NGINX_VERSION },
  hostname: { get: () => hostname().toLowerCase() },
  pid: { get: () => `${process.pid}` },
  msec: { get: () => asSeconds(wallClock()) },
  time_iso8601: { get: () => isoTime(wallClock()) },
  time_local: { get: () => localTime(wallClock()) },
  protocol: { get: ({ datagrams }) => (datagrams ? 'UDP' : 'TCP') },
};

export const coreVariables = streamModule({ name: 'stream_core', directives: {}, variables });
