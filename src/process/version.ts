/** What this program says it is. */
import { readFileSync } from 'node:fs';

/** The nginx whose behaviour is followed; `$nginx_version`. */
export const NGINX_VERSION = '1.31.5';

/** This program's own version. */
export const ownVersion = (): string => {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return /"version": *"([^"]*)"/.exec(text)?.[1] ?? '0.0.0';
};

/** `nginx/1.31.5 (sluice X.Y.Z)` */
export const versionText = (): string => `nginx/${NGINX_VERSION} (sluice ${ownVersion()})`;
