/** The real responder on libfcgi: compiled once into the system's temporary folder, started per test. */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import { ROOT } from './proxy.ts';
import type { Rig } from './rig.ts';
import { waitForListener } from './wait.ts';

/** Compiles `test/kit/fcgi-responder.c` unless this version was compiled before, and returns its path. */
export function responderPath(): string {
  const source = join(ROOT, 'test/kit/fcgi-responder.c');
  const version = createHash('sha256').update(readFileSync(source)).digest('hex').slice(0, 12);
  const folder = join(tmpdir(), `sluice-test-cache-${process.getuid?.() ?? 0}`);
  const path = join(folder, `fcgi-responder-${version}`);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    const draft = `${path}.${process.pid}`;
    execFileSync('cc', ['-O2', '-Wall', '-o', draft, source, '-lfcgi', '-lpthread']);
    renameSync(draft, path);
  }
  return path;
}

/** Starts the responder on a free port (or the path of a unix socket) and returns where it listens. */
export async function startResponder(
  rig: Rig,
  options: { threads?: number; path?: string } = {},
): Promise<number> {
  const port = options.path === undefined ? await freePort() : 0;
  const child = spawn(responderPath(), [options.path ?? `:${port}`, String(options.threads ?? 4)], {
    stdio: 'ignore',
  });
  const exited = new Promise((done) => child.once('exit', done));
  rig.defer(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  await waitForListener(options.path ?? port);
  return port;
}
