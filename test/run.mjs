// The test command: gets the tools the tests drive (when it can), builds, and runs the compiled tests.
// usage: node test/run.mjs [words...]     runs only the files whose path holds one of the words
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FILE_TIMEOUT_MS = 600_000;
const CONCURRENCY = 2;

const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
const onPath = (pattern) =>
  directories.some(
    (directory) => existsSync(directory) && readdirSync(directory).some((file) => pattern.test(file)),
  );

// Debian packages by what shows that they are there.
const wanted = [
  ['gcc', () => onPath(/^cc$/)],
  ['libc6-dev', () => existsSync('/usr/include/stdio.h')],
  ['libfcgi-dev', () => existsSync('/usr/include/fcgiapp.h')],
  ['php-fpm', () => onPath(/^php-fpm[\d.]*$/)],
  ['nginx', () => onPath(/^nginx$/)],
  ['wrk', () => onPath(/^wrk$/)],
  ['iproute2', () => onPath(/^ss$/)],
];

/** Installs what is missing, where this is root on a Debian; the tests name what stayed missing. */
function installTools() {
  const missing = wanted.filter(([, there]) => !there()).map(([name]) => name);
  if (missing.length === 0 || process.getuid?.() !== 0 || !onPath(/^apt-get$/)) {
    return;
  }
  console.log(`# installing ${missing.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  const apt = (...args) =>
    spawnSync('apt-get', ['-qq', '-o', 'Dpkg::Use-Pty=0', ...args], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  apt('update');
  const all = apt('install', '-y', '--no-install-recommends', ...missing);
  if (all.status !== 0) {
    for (const name of missing) {
      apt('install', '-y', '--no-install-recommends', name);
    }
  }
}

function filesBelow(directory) {
  if (!existsSync(directory)) {
    return [];
  }
  return readdirSync(directory, { recursive: true })
    .map((name) => join(directory, String(name)))
    .filter((path) => path.endsWith('.test.js') && statSync(path).isFile());
}

installTools();
const build = spawnSync(process.execPath, [join(root, 'build.mjs')], { cwd: root, stdio: 'inherit' });
if (build.status !== 0) {
  process.exit(build.status ?? 1);
}

const words = process.argv.slice(2);
const sources = (path) => join(root, relative(join(root, 'dist'), path).replace(/\.js$/, '.ts'));
const files = ['dist/test/unit', 'dist/test/integration']
  .flatMap((directory) => filesBelow(join(root, directory)))
  .filter((path) => existsSync(sources(path)))
  .filter((path) => words.length === 0 || words.some((word) => path.includes(word)))
  .map((path) => relative(root, path))
  .sort();
if (files.length === 0) {
  console.error('no test files');
  process.exit(1);
}

const reporter = process.stdout.isTTY ? 'spec' : 'tap';
const run = spawnSync(
  process.execPath,
  [
    '--enable-source-maps',
    '--test',
    `--test-concurrency=${CONCURRENCY}`,
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    `--test-reporter=${reporter}`,
    '--test-reporter-destination=stdout',
    ...files,
  ],
  { cwd: root, stdio: 'inherit' },
);
process.exit(run.status ?? 1);
