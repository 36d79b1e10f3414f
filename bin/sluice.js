#!/usr/bin/env node
import { existsSync } from 'node:fs';

const start = new URL('../dist/bundle/code/start.js', import.meta.url);
if (existsSync(start)) {
  await import(start.href);
} else {
  process.stderr.write('sluice: not built yet: run "npm install" (or "npm run build") in its folder\n');
  process.exitCode = 1;
}
