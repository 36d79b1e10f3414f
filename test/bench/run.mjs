// npm run bench: Sluice beside nginx on the same configuration, the same backend and the same load.
//
//   node test/bench/run.mjs [--only name,name] [--rounds 3] [--seconds 3] [--nginx path] [--binary path] [--json file]
//
// The figure that counts is CPU time per request, read from /proc for the proxy's process tree, as a ratio to nginx
// in the same run: requests per second depend on what else the machine does. Where two processors are there, the
// proxy has the first for itself. Without nginx only Sluice is measured, with a backend of Node's.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { load } from './load.mjs';
import { backendConf, proxyConf, SCENARIOS } from './scenarios.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const kit = (name) => import(join(root, 'dist/test/kit', name));
if (!existsSync(join(root, 'dist/test/kit'))) {
  console.error('not built yet: run "npm run build"');
  process.exit(1);
}
const { Certificates } = await kit('certificates.js');
const { Rig } = await kit('rig.js');
const { freePorts } = await kit('ports.js');
const { findTool } = await kit('tools.js');
const { cpuTicks, family, residentKb } = await kit('processes.js');
const { startResponder } = await kit('libfcgi.js');
const { waitForListener } = await kit('wait.js');

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '3' },
    nginx: { type: 'string' },
    binary: { type: 'string', default: join(root, 'bin/sluice.js') },
    json: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);
const nginx = values.nginx ?? findTool('nginx');
const wrk = findTool('wrk');
const h2load = findTool('h2load');
const pinned = findTool('taskset') !== undefined && availableParallelism() > 1;
const onCpu = (cpu) => (pinned ? ['taskset', '-c', String(cpu)] : []);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
const TICK_US = 10_000;
/** What each program listens on. */
const PORTS = ['http', 'http2', 'tls', 'tls12'];

const rig = new Rig();

/** Starts a program with a configuration and waits until it listens. */
async function start(name, binary, text, port, cpu) {
  const conf = join(rig.dir, `${name}.conf`);
  writeFileSync(conf, process.getuid?.() === 0 ? `user root;\n${text}` : text);
  const [command, ...args] = [...onCpu(cpu), binary, '-p', rig.dir, '-c', conf, '-g', 'daemon off;'];
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const exited = new Promise((done) => child.once('exit', done));
  rig.defer(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await waitForListener(port);
  await sleep(300);
  return child.pid;
}

/** The backend of both: nginx, or a server of Node's in this process. */
async function startBackend(port, http2) {
  if (nginx !== undefined) {
    await start('backend', nginx, backendConf({ dir: rig.dir, port, http2 }), port, 1);
    return;
  }
  const big = Buffer.alloc(1 << 20, 'x');
  const server = createServer((request, response) => {
    const body = request.url === '/1m' ? big : 'hello from the backend, in a body of a usual small size\n';
    response.setHeader('Content-Length', body.length);
    response.end(body);
  });
  await new Promise((done) => server.listen(port, '127.0.0.1', done));
  rig.defer(() => server.close());
}

async function measure(subject, scenario, time) {
  const before = cpuTicks(subject.pid);
  const { port = 'http', path, headers = [] } = scenario;
  const scheme = port.startsWith('tls') ? 'https' : 'http';
  const { requests, failed } = await load(`${scheme}://127.0.0.1:${subject.ports[port]}${path}`, {
    wrk,
    h2load,
    connections: scenario.connections,
    streams: scenario.streams,
    seconds: time,
    headers,
    pin: onCpu(1),
  });
  const us = ((cpuTicks(subject.pid) - before) * TICK_US) / requests;
  return { us, rate: requests / time, failed };
}

async function main() {
  mkdirSync(join(rig.dir, 'www'));
  mkdirSync(join(rig.dir, 'logs'));
  writeFileSync(join(rig.dir, 'www/1k'), 'x'.repeat(1024));
  writeFileSync(join(rig.dir, 'www/1m'), 'x'.repeat(1 << 20));
  new Certificates(rig.dir).make('bench');
  const [backend, backendHttp2, ...free] = await freePorts(2 + 2 * PORTS.length);
  await startBackend(backend, backendHttp2);
  const hasFastcgi = findTool('cc') !== undefined && existsSync('/usr/include/fcgiapp.h');
  const fastcgi = hasFastcgi ? await startResponder(rig, { threads: 64 }) : 0;

  const subjects = [];
  const binaries = { ...(nginx === undefined ? {} : { nginx }), sluice: resolve(values.binary) };
  for (const [name, binary] of Object.entries(binaries)) {
    const ports = Object.fromEntries(PORTS.map((port) => [port, free.pop()]));
    const text = proxyConf({ dir: rig.dir, name, ports, backend, backendHttp2, fastcgi });
    subjects.push({ name, ports, pid: await start(name, binary, text, ports.http, 0) });
  }

  const only = values.only?.split(',');
  const report = {};
  let failures = 0;
  console.log(`${'scenario'.padEnd(20)}${'us of CPU a request'.padEnd(30)}ratio    requests/s`);
  for (const scenario of SCENARIOS) {
    const missing = {
      fastcgi: !hasFastcgi,
      wrk: wrk === undefined,
      h2load: h2load === undefined,
      calls: h2load === undefined || nginx === undefined,
    }[scenario.needs];
    if ((only !== undefined && !only.includes(scenario.name)) || missing === true) {
      continue;
    }
    const runs = new Map(subjects.map(({ name }) => [name, []]));
    for (const subject of subjects) {
      await measure(subject, scenario, 1);
    }
    for (let round = 0; round < rounds; round++) {
      for (const subject of subjects) {
        runs.get(subject.name).push(await measure(subject, scenario, seconds));
      }
    }
    const cost = (name) => median((runs.get(name) ?? [{ us: Number.NaN }]).map((run) => run.us));
    const rate = (name) => Math.round(median(runs.get(name).map((run) => run.rate)));
    const failed = runs.get('sluice').reduce((sum, run) => sum + run.failed, 0);
    failures += failed;
    const names = subjects.map(({ name }) => name);
    const ratio = nginx === undefined ? Number.NaN : cost('sluice') / cost('nginx');
    report[scenario.name] = Object.fromEntries([
      ...names.map((name) => [name, { us: Number(cost(name).toFixed(1)), rate: rate(name) }]),
      ['ratio', Number(ratio.toFixed(2))],
      ['failed', failed],
    ]);
    const costs = names.map((name) => `${name} ${cost(name).toFixed(1)}`).join('  ');
    const rates = names.map((name) => `${name} ${rate(name)}`).join('  ');
    console.log(
      `${scenario.name.padEnd(20)}${costs.padEnd(30)}${ratio.toFixed(2).padEnd(9)}${rates}${failed > 0 ? `  FAILED ${failed}` : ''}`,
    );
  }
  for (const { name, pid } of subjects) {
    const kb = family(pid).reduce((sum, each) => sum + residentKb(each), 0);
    console.log(`${name}: ${(kb / 1024).toFixed(0)} MiB resident at the end`);
  }
  if (values.json !== undefined) {
    writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
  }
  return failures;
}

try {
  process.exitCode = (await main()) > 0 ? 1 : 0;
} finally {
  await rig.close();
}
