/** The script of a worker process. */
import { runWorker } from '../process/worker.ts';
import { program } from '../program.ts';

runWorker(program);
