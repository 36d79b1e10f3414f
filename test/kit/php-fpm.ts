/** A real php-fpm with a pool of its own in the test's folder. */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from './ports.ts';
import type { Rig } from './rig.ts';
import { findTool } from './tools.ts';
import { waitForListener } from './wait.ts';

/** A running php-fpm. */
export interface PhpFpm {
  /** What `fastcgi_pass` takes. */
  readonly address: string;
  /** 0 for a unix socket. */
  readonly port: number;
  /** The folder of the scripts. */
  readonly root: string;
}

/** Starts php-fpm with `children` static workers on a free port, or on a unix socket. */
export async function startPhpFpm(
  rig: Rig,
  scripts: Readonly<Record<string, string>>,
  options: { unix?: boolean; children?: number; pool?: string } = {},
): Promise<PhpFpm> {
  const binary = findTool('php-fpm');
  if (binary === undefined) {
    throw new Error('php-fpm is missing');
  }
  const root = join(rig.dir, 'php');
  mkdirSync(root, { recursive: true });
  for (const [name, text] of Object.entries(scripts)) {
    writeFileSync(join(root, name), text);
  }
  const port = options.unix === true ? 0 : await freePort();
  const listen = options.unix === true ? join(rig.dir, 'php-fpm.sock') : `127.0.0.1:${port}`;
  const conf = join(rig.dir, 'php-fpm.conf');
  const user = process.getuid?.() === 0 ? 'user = root\ngroup = root\n' : '';
  writeFileSync(
    conf,
    `[global]
error_log = ${rig.dir}/php-fpm.log
daemonize = no
[test]
${user}listen = ${listen}
pm = static
pm.max_children = ${options.children ?? 2}
pm.status_path = /fpm-status
clear_env = no
${options.pool ?? ''}
`,
  );
  const args = ['-y', conf, '-n', '-F', ...(process.getuid?.() === 0 ? ['-R'] : [])];
  const child = spawn(binary, args, { stdio: 'ignore' });
  const exited = new Promise((done) => child.once('exit', done));
  rig.defer(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await waitForListener(options.unix === true ? listen : port);
  return { address: options.unix === true ? `unix:${listen}` : listen, port, root };
}
