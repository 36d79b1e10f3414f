/** The map of the code says the truth: each path that it names exists, and each example compiles. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { rigFor } from '../kit/rig.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const FENCED = /^```ts\n\/\/ (\S+)\n([\s\S]*?)^```$/gm;
/** A file with one of our endings, or a folder; no absolute path, no pattern. */
const PATH = /^\.?[\w-][\w.-]*(?:\/[\w.-]+)*(?:\.(?:ts|mjs|js|json|ne|c|conf|md)|\/)$|^\.[\w-]+\/[\w-]+$/;

const read = (name: string): string => readFileSync(join(root, name), 'utf8');

/** What stands in backquotes in the text, code blocks left out, and looks like a path. */
function pathsIn(text: string): string[] {
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '').replace(/^ {4}.*$/gm, '');
  const quoted = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, word = '']) => word);
  return [...new Set(quoted.filter((word) => PATH.test(word)))];
}

for (const [name, bases] of [
  ['src/README.md', ['src', '.']],
  ['README.md', ['.', 'conf']],
] as const) {
  test(`every path in ${name} exists`, () => {
    const paths = pathsIn(read(name));
    assert.ok(paths.length > 3, 'paths are found at all');
    const missing = paths.filter((path) => !bases.some((base) => existsSync(join(root, base, path))));
    assert.deepEqual(missing, []);
  });
}

test('every example in src/README.md compiles', (t) => {
  const { dir } = rigFor(t);
  const examples = [...read('src/README.md').matchAll(FENCED)];
  assert.ok(examples.length > 3, 'examples are found at all');
  for (const [, path = '', text = ''] of examples) {
    assert.ok(!existsSync(join(root, path)), `${path} is taken`);
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
  writeFileSync(join(dir, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    noEmit: true,
    rootDir: '/',
    // The examples are seen as if they stood among the sources.
    rootDirs: [root, dir],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['src/**/*.ts'] };
  writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify(config));
  const typescript = createRequire(import.meta.url).resolve('typescript/package.json');
  const { bin } = JSON.parse(readFileSync(typescript, 'utf8')) as { readonly bin: { readonly tsc: string } };
  const { status, stdout } = spawnSync(process.execPath, [join(dirname(typescript), bin.tsc), '-p', dir], {
    encoding: 'utf8',
  });
  const own = stdout.split('\n').filter((line) => line.includes('error') && !line.startsWith('../'));
  assert.deepEqual(own, [], `tsc ended with ${status}`);
});
