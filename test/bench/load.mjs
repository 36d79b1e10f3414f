// Load on one URL: by wrk where it is installed, otherwise by raw keepalive connections of this process.
import { spawn } from 'node:child_process';
import { connect } from 'node:net';

/** Runs `seconds` of load over `connections`; resolves to { requests, failed }. */
export function load(url, options) {
  if (options.streams !== undefined) return byH2load(url, options);
  return options.wrk ? byWrk(url, options) : byNode(url, options);
}

/** HTTP/2, with `streams` requests at a time on each connection. */
function byH2load(url, { h2load, connections, streams, seconds, pin }) {
  const words = [h2load, '-t1', `-c${connections}`, `-m${streams}`, `-D${seconds}`, url];
  const [command, ...args] = [...pin, ...words];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes;
    });
    child.on('error', reject);
    child.on('close', () => {
      const counts = /(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout/.exec(text);
      if (counts === null) reject(new Error(text));
      else resolve({ requests: Number(counts[1]), failed: Number(counts[2]) + Number(counts[4]) });
    });
  });
}

function byWrk(url, { wrk, connections, seconds, headers, pin }) {
  const words = [
    wrk,
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    ...headers.flatMap((line) => ['-H', line]),
    url,
  ];
  const [command, ...args] = [...pin, ...words];
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes;
    });
    child.stderr.on('data', (bytes) => {
      text += bytes;
    });
    child.on('error', reject);
    child.on('close', () => {
      const requests = /(\d+) requests in/.exec(text);
      if (requests === null) {
        reject(new Error(text));
        return;
      }
      const status = /Non-2xx or 3xx responses: (\d+)/.exec(text);
      const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text);
      const broken = sockets === null ? 0 : sockets.slice(1).reduce((sum, each) => sum + Number(each), 0);
      resolve({ requests: Number(requests[1]), failed: Number(status?.[1] ?? 0) + broken });
    });
  });
}

async function byNode(url, { connections, seconds, headers }) {
  const { hostname, port, pathname, search } = new URL(url);
  const lines = headers.map((line) => `${line}\r\n`).join('');
  const request = `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}\r\n${lines}\r\n`;
  const end = performance.now() + seconds * 1000;
  const total = { requests: 0, failed: 0 };
  await Promise.all(
    Array.from({ length: connections }, () => oneConnection({ hostname, port, request, end, total })),
  );
  return total;
}

/** Sends a request at a time until `end`; a reply is counted by its Content-Length. */
function oneConnection({ hostname, port, request, end, total }) {
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let wanted = -1;
    let head = '';
    socket.on('connect', () => socket.write(request));
    socket.on('data', (bytes) => {
      let rest = bytes.length;
      if (wanted < 0) {
        head += bytes.toString('latin1');
        const stop = head.indexOf('\r\n\r\n');
        if (stop < 0) {
          return;
        }
        wanted = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        total.failed += /^HTTP\/1\.1 [23]/.test(head) ? 0 : 1;
        rest = head.length - stop - 4;
      }
      wanted -= rest;
      if (wanted <= 0) {
        total.requests++;
        wanted = -1;
        head = '';
        if (performance.now() < end) {
          socket.write(request);
        } else {
          socket.destroy();
        }
      }
    });
    socket.on('error', () => {
      total.failed++;
    });
    socket.on('close', resolve);
  });
}
