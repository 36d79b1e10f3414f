/** How long it takes to read large configurations: many statements, and many rows of one map. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { load } from '../../src/config/loader.ts';
import { modules } from '../unit/config/modules.ts';

const server = (index: number): string => `  server {
    listen 127.0.0.1:8080;
    server_name host${index}.example.org;
    location / {
      proxy_pass http://127.0.0.1:9000;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For "$proxy_add_x_forwarded_for";
    }
    # comment
  }
`;
const servers = (lines: number): string =>
  `events { }\nhttp {\n${Array.from({ length: lines / 10 }, (_, index) => server(index)).join('')}}\n`;
const rows = (count: number): string =>
  `events { }\nhttp {\n  map $a $b {\n${Array.from({ length: count }, (_, index) => `    ~^/path/${index}$ value${index};\n`).join('')}  }\n}\n`;

const folder = mkdtempSync(join(tmpdir(), 'config-'));
const time = (name: string, text: string): void => {
  const file = join(folder, 'nginx.conf');
  writeFileSync(file, text);
  const start = process.hrtime.bigint();
  const { errors } = load({ file, prefix: '/', confPrefix: `${folder}/`, modules, testing: true });
  const ms = Number(process.hrtime.bigint() - start) / 1e6;
  const memory = process.memoryUsage().rss / 1_048_576;
  console.log(`${name.padEnd(24)} ${ms.toFixed(0).padStart(6)} ms ${memory.toFixed(0).padStart(6)} MiB`);
  if (errors[0]) throw errors[0];
};

time('65,000 lines', servers(65_000));
time('260,000 lines', servers(260_000));
time('map of 20,000 rows', rows(20_000));
time('map of 80,000 rows', rows(80_000));
rmSync(folder, { recursive: true });
