/** Certificates for tests, made by the openssl command. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** What a certificate is to be. */
export interface Wanted {
  /** `ec` (default), `rsa`. */
  readonly kind?: 'ec' | 'rsa';
  /** Name of the authority that signs it; itself when left out. */
  readonly by?: string;
  readonly authority?: boolean;
  /** Lines of the extensions section of openssl's configuration. */
  readonly extensions?: readonly string[];
  /** Days that it is good for; negative ones are over. */
  readonly days?: number;
  /** Password of the key's file. */
  readonly password?: string;
}

/** Files `NAME.pem` and `NAME.key` in one folder. */
export class Certificates {
  constructor(readonly dir: string) {}

  path(file: string): string {
    return join(this.dir, file);
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'latin1');
  }

  #openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.dir, stdio: 'ignore' });
  }

  /** Makes `NAME.pem` and `NAME.key` with the subject `/CN=NAME`. */
  make(name: string, wanted: Wanted = {}): void {
    const { kind = 'ec', by, authority = false, extensions = [], days = 2, password } = wanted;
    const key =
      kind === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    const locked = password === undefined ? ['-nodes'] : ['-passout', `pass:${password}`];
    this.#openssl(
      'req',
      '-new',
      ...key,
      ...locked,
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    const basic = `basicConstraints=critical,CA:${authority ? 'TRUE' : 'FALSE'}`;
    writeFileSync(this.path(`${name}.ext`), [basic, ...extensions].join('\n'));
    const signer =
      by === undefined
        ? ['-signkey', `${name}.key`, ...(password === undefined ? [] : ['-passin', `pass:${password}`])]
        : ['-CA', `${by}.pem`, '-CAkey', `${by}.key`, '-CAcreateserial'];
    this.#openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...signer,
      '-days',
      String(days),
      '-extfile',
      `${name}.ext`,
      '-out',
      `${name}.pem`,
    );
  }

  /** The lists that `openssl ca` and `openssl ocsp` keep of what an authority has signed. */
  register(authority: string, names: readonly string[], revoked: readonly string[] = []): void {
    const index = this.path(`${authority}.index`);
    writeFileSync(index, '');
    const date = '301231235959Z';
    for (const name of [...names, ...revoked]) {
      const serial = this.#print('x509', '-in', `${name}.pem`, '-noout', '-serial')
        .trim()
        .slice('serial='.length);
      const state = revoked.includes(name) ? `R\t${date}\t250101000000Z` : `V\t${date}\t`;
      appendFileSync(index, `${state}\t${serial}\tunknown\t/CN=${name}\n`);
    }
  }

  /** Writes `AUTHORITY.crl` with what `register` was told. */
  revocationList(authority: string): void {
    const conf = this.path(`${authority}.cnf`);
    writeFileSync(conf, `[ca]\ndefault_ca=x\n[x]\ndatabase=${authority}.index\ndefault_md=sha256\n`);
    this.#openssl(
      'ca',
      '-gencrl',
      '-config',
      conf,
      '-keyfile',
      `${authority}.key`,
      '-cert',
      `${authority}.pem`,
      '-crldays',
      '2',
      '-out',
      `${authority}.crl`,
    );
  }

  /** What a responder says about a certificate, as DER in `NAME.ocsp`. */
  ocspResponse(authority: string, name: string): Buffer {
    this.#openssl('ocsp', '-issuer', `${authority}.pem`, '-cert', `${name}.pem`, '-reqout', `${name}.req`);
    this.#openssl(
      'ocsp',
      '-index',
      `${authority}.index`,
      '-CA',
      `${authority}.pem`,
      '-rsigner',
      `${authority}.pem`,
      '-rkey',
      `${authority}.key`,
      '-reqin',
      `${name}.req`,
      '-respout',
      `${name}.ocsp`,
      '-ndays',
      '1',
    );
    return readFileSync(this.path(`${name}.ocsp`));
  }

  #print(...args: readonly string[]): string {
    return execFileSync('openssl', args, { cwd: this.dir, encoding: 'latin1' });
  }

  /** Whether the file is there. */
  has(file: string): boolean {
    return existsSync(this.path(file));
  }
}
