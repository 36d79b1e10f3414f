import { fileURLToPath } from 'node:url';
import { main } from '../../../src/cli/main.ts';
import { program } from './program.ts';

process.exitCode = await main(process.argv.slice(2), {
  load: async () => program,
  worker: { script: fileURLToPath(new URL('./worker.js', import.meta.url)) },
});
process.exit();
