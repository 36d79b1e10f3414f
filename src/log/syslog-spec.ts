/** The parameters of `syslog:server=...,facility=...,tag=...,severity=...,nohostname`. */
import { isIP, isIPv6 } from 'node:net';

const FACILITIES = (
  'kern user mail daemon auth intern lpr news uucp clock authpriv ftp ntp audit alert cron ' +
  'local0 local1 local2 local3 local4 local5 local6 local7'
).split(' ');
const SEVERITIES = ['emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug'];
const DEFAULT_PORT = 514;
const LONGEST_TAG = 32;

/** A syslog server and how messages to it are marked. */
export interface SyslogSpec {
  /** As the configuration has it, for messages. */
  readonly server: string;
  /** A host name or numeric address without brackets, or the path of a unix socket. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** 0 to 23. */
  readonly facility: number;
  /** 0 to 7; messages of an error log carry their own. */
  readonly severity: number;
  readonly tag: string;
  readonly nohostname: boolean;
}

/** Ends the reading of a directive with nginx's words. */
type Fail = (reason: string) => never;

/** A numeric address or a name, or the path of a unix socket with port 0. */
type Place = Pick<SyslogSpec, 'address' | 'port'>;

const serverAddress = (server: string, fail: Fail): Place => {
  if (server.startsWith('unix:')) {
    if (server.length === 5) fail(`no path in the unix domain socket in syslog server "${server}"`);
    return { address: server.slice(5), port: 0 };
  }
  const parts = /^(\[[^\]]*\]|[^:]*)(?::(.*))?$/s.exec(server);
  const host = parts?.[1] ?? '';
  if (!parts || host === '') return fail(`no host in syslog server "${server}"`);
  const bracketed = host.startsWith('[');
  const address = bracketed ? host.slice(1, -1) : host;
  if (bracketed && !isIPv6(address)) fail(`invalid IPv6 address in syslog server "${server}"`);
  if (parts[2] === undefined) return { address, port: DEFAULT_PORT };
  const port = /^\d{1,5}$/.test(parts[2]) ? Number(parts[2]) : 0;
  if (port < 1 || port > 65535) fail(`invalid port in syslog server "${server}"`);
  return { address, port };
};

const resolved = (server: string, named: Place, fail: Fail, lookup: Lookup): Place => {
  if (isNumeric(named)) return named;
  const [address] = lookup(named.address);
  return address === undefined
    ? fail(`host not found in syslog server "${server}"`)
    : { address, port: named.port };
};

const checkedTag = (tag: string, fail: Fail): string => {
  if (tag.length > LONGEST_TAG) fail('syslog tag length exceeds 32');
  if (!/^\w*$/.test(tag)) fail('syslog "tag" only allows alphanumeric characters and underscore');
  return tag;
};

const position = (names: readonly string[], name: string, what: string, fail: Fail): number => {
  const index = names.indexOf(name);
  return index < 0 ? fail(`unknown syslog ${what} "${name}"`) : index;
};

/** The addresses of a name. */
type Lookup = (name: string) => readonly string[];

/**
 * Reads `text`, which begins with `syslog:`. `fail` is called with nginx's words where it is wrong; a name is
 * looked up now, once.
 */
export const parseSyslog = (text: string, fail: Fail, lookup: Lookup): SyslogSpec => {
  let server: string | undefined;
  let facility: number | undefined;
  let severity: number | undefined;
  let tag: string | undefined;
  let nohostname = false;
  for (const part of text.slice('syslog:'.length).split(',')) {
    const [name = '', ...rest] = part.split('=');
    const value = rest.join('=');
    if (rest.length === 0) {
      if (part !== 'nohostname') fail(`unknown syslog parameter "${part}"`);
      nohostname = true;
    } else if (name === 'server') {
      if (server !== undefined) fail('duplicate syslog "server"');
      server = value;
    } else if (name === 'facility') {
      if (facility !== undefined) fail('duplicate syslog "facility"');
      facility = position(FACILITIES, value, 'facility', fail);
    } else if (name === 'severity') {
      if (severity !== undefined) fail('duplicate syslog "severity"');
      severity = position(SEVERITIES, value, 'severity', fail);
    } else if (name === 'tag') {
      if (tag !== undefined) fail('duplicate syslog "tag"');
      tag = checkedTag(value, fail);
    } else {
      fail(`unknown syslog parameter "${part}"`);
    }
  }
  if (server === undefined) return fail('no syslog server specified');
  return {
    server,
    ...resolved(server, serverAddress(server, fail), fail, lookup),
    facility: facility ?? 23,
    severity: severity ?? 6,
    tag: tag ?? 'nginx',
    nohostname,
  };
};

/** Whether the address is numeric or a path, so that no name has to be looked up. */
export const isNumeric = (spec: Place): boolean => spec.port === 0 || isIP(spec.address) !== 0;
