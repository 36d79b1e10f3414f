// Builds dist/: compiles each grammar of grammar/ to a module under src/config/grammar/, then the TypeScript, for tests
// file by file. What the executable runs is bundled from that: loading 250 files takes longer than all that they do.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const nearley = dirname(require.resolve('nearley/package.json'));
const compiled = join(root, 'src/config/grammar');

mkdirSync(compiled, { recursive: true });
for (const file of readdirSync(join(root, 'grammar')).filter((name) => name.endsWith('.ne'))) {
  const out = join(compiled, file.replace(/\.ne$/, '.ts'));
  execFileSync(process.execPath, [join(nearley, 'bin/nearleyc.js'), join(root, 'grammar', file), '-o', out], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  writeFileSync(out, `// @ts-nocheck\n${readFileSync(out, 'utf8')}`);
}
const typescript = dirname(require.resolve('typescript/package.json'));
const tsc = join(typescript, JSON.parse(readFileSync(join(typescript, 'package.json'), 'utf8')).bin.tsc);
execFileSync(process.execPath, [tsc, '-p', root], { stdio: 'inherit' });

// As deep below the project's folder as dist/src/cli/: what is found relative to a file is found from there too.
const bundle = join(root, 'dist/bundle/code');
rmSync(bundle, { recursive: true, force: true });
buildSync({
  entryPoints: ['start.js', 'worker.js'].map((file) => join(root, 'dist/src/cli', file)),
  outdir: bundle,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Loaded only where they are needed; koffi has a binary beside it.
  external: ['koffi', 'pino', 'sonic-boom'],
  sourcemap: true,
  logLevel: 'warning',
});
copyFileSync(join(root, 'src/config/nginx-directives.json'), join(bundle, 'nginx-directives.json'));
