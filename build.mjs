// Builds dist/: compiles each grammar of grammar/ to a module under src/config/grammar/, then the TypeScript.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

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
