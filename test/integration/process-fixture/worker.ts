import { runWorker } from '../../../src/process/worker.ts';
import { program } from './program.ts';

runWorker(program);
