/** The script that the executable runs. */
import { fileURLToPath } from 'node:url';
import { main } from './main.ts';

process.exitCode = await main(process.argv.slice(2), {
  load: async () => (await import('../program.ts')).program,
  worker: { script: fileURLToPath(new URL('./worker.js', import.meta.url)) },
});
// A signal handler or a channel may keep the process alive; nothing is left to do.
process.exit();
