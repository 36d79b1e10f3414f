/** What `-t` says of certificates, keys and the rest of `ssl_*` that can't be used: nginx's own words. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Certificates } from '../kit/certificates.ts';
import { BINARY } from '../kit/proxy.ts';
import { Rig } from '../kit/rig.ts';

/** Of the Node that runs this, which is the one that runs the program. */
const OPENSSL = process.versions.openssl;

const rig = new Rig();
const certificates = new Certificates(rig.dir);

before(() => {
  certificates.make('ec');
  certificates.make('other');
  certificates.make('rsa', { kind: 'rsa' });
  certificates.make('locked', { password: 'right' });
  writeFileSync(join(rig.dir, 'right.txt'), 'wrong\nright\n');
  writeFileSync(join(rig.dir, 'wrong.txt'), 'wrong\n');
  writeFileSync(join(rig.dir, 'empty'), '');
  writeFileSync(join(rig.dir, 'long.txt'), `${'x'.repeat(4096)}\n`);
  mkdirSync(join(rig.dir, 'folder'));
  writeFileSync(join(rig.dir, 'ticket'), Buffer.alloc(48, 1));
  writeFileSync(join(rig.dir, 'short'), Buffer.alloc(47, 1));
  writeFileSync(
    join(rig.dir, 'torn.pem'),
    readFileSync(certificates.path('ec.pem'), 'latin1').replace('MII', 'MI!'),
  );
});
after(() => rig.close());

const testOf = (server: string, listen = 'listen 127.0.0.1:1 ssl;'): string => {
  writeFileSync(
    join(rig.dir, 'nginx.conf'),
    `pid ${rig.dir}/nginx.pid; events { } http { access_log off; server { ${listen} ${server} } }`,
  );
  const { stderr } = spawnSync(
    BINARY,
    ['-t', '-p', rig.dir, '-c', join(rig.dir, 'nginx.conf'), '-e', 'error.log'],
    {
      encoding: 'latin1',
      env: { ...process.env, NODE_TEST_CONTEXT: '' },
    },
  );
  return stderr.replaceAll(rig.dir, 'DIR');
};

const PAIR = 'ssl_certificate ec.pem; ssl_certificate_key ec.key;';

/** What is said after `[emerg] `. */
const CASES: readonly (readonly [name: string, server: string, said: string])[] = [
  [
    'a missing certificate',
    'ssl_certificate nowhere.pem; ssl_certificate_key ec.key;',
    'cannot load certificate "DIR/nowhere.pem": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.pem, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'a missing key',
    'ssl_certificate ec.pem; ssl_certificate_key nowhere.key;',
    'cannot load certificate key "DIR/nowhere.key": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere.key, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'an empty certificate',
    'ssl_certificate empty; ssl_certificate_key ec.key;',
    'cannot load certificate "DIR/empty": PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)',
  ],
  [
    'a certificate that is no base64',
    'ssl_certificate torn.pem; ssl_certificate_key ec.key;',
    'cannot load certificate "DIR/torn.pem": PEM_read_bio_X509_AUX() failed (SSL: error:04800064:PEM routines::bad base64 decode)',
  ],
  [
    'an empty key',
    'ssl_certificate ec.pem; ssl_certificate_key empty;',
    'cannot load certificate key "DIR/empty": PEM_read_bio_PrivateKey() failed (SSL: error:1E08010C:DECODER routines::unsupported:No supported data to decode. Input type: PEM)',
  ],
  [
    'the key of another certificate',
    'ssl_certificate ec.pem; ssl_certificate_key other.key;',
    'SSL_CTX_use_PrivateKey("DIR/other.key") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)',
  ],
  ['no key', 'ssl_certificate ec.pem;', 'no "ssl_certificate_key" is defined for certificate "ec.pem"'],
  [
    'data that is no certificate',
    'ssl_certificate data:x; ssl_certificate_key ec.key;',
    'cannot load certificate "data:x": PEM_read_bio_X509_AUX() failed (SSL: error:0480006C:PEM routines::no start line:Expecting: TRUSTED CERTIFICATE)',
  ],
  [
    'ciphers that nobody knows',
    `${PAIR} ssl_ciphers NONE-SUCH;`,
    'SSL_CTX_set_cipher_list("NONE-SUCH") failed (SSL: error:0A0000B9:SSL routines::no cipher match)',
  ],
  [
    'a curve that nobody knows',
    `${PAIR} ssl_ecdh_curve flat;`,
    // OpenSSL 3.5 gives no reason.
    OPENSSL < '3.5'
      ? `SSL_CTX_set1_curves_list("flat") failed (SSL: error:0A080106:SSL routines::passed invalid argument:group 'flat' cannot be set)`
      : 'SSL_CTX_set1_curves_list("flat") failed',
  ],
  [
    'parameters that are none',
    `${PAIR} ssl_dhparam ec.pem;`,
    'PEM_read_bio_DHparams("DIR/ec.pem") failed (SSL: error:0480006C:PEM routines::no start line:Expecting: DH PARAMETERS)',
  ],
  [
    'missing parameters',
    `${PAIR} ssl_dhparam nowhere;`,
    'BIO_new_file("DIR/nowhere") failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/nowhere, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'client certificates without an authority',
    `${PAIR} ssl_verify_client on;`,
    'no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client',
  ],
  [
    'a list of revoked certificates that is none',
    `${PAIR} ssl_crl ec.pem;`,
    'cannot load CRL "DIR/ec.pem": PEM_read_bio_X509_CRL() failed (SSL: error:0480006C:PEM routines::no start line:Expecting: X509 CRL)',
  ],
  [
    'a command that nobody knows',
    `${PAIR} ssl_conf_command No Such;`,
    'SSL_CONF_cmd("No", "Such") failed (SSL: error:0A000182:SSL routines::unknown cmd name:cmd=No)',
  ],
  [
    'a key of a wrong size',
    `${PAIR} ssl_session_ticket_key short;`,
    '"DIR/short" must be 48 or 80 bytes in DIR/nginx.conf:1',
  ],
  [
    'a session cache that is too small',
    `${PAIR} ssl_session_cache shared:S:1k;`,
    'session cache "shared:S:1k" is too small in DIR/nginx.conf:1',
  ],
  [
    'a session cache that is none',
    `${PAIR} ssl_session_cache shared:S;`,
    'invalid session cache "shared:S" in DIR/nginx.conf:1',
  ],
  [
    'a certificate cache without a size',
    `${PAIR} ssl_certificate_cache inactive=1s;`,
    '"ssl_certificate_cache" must have the "max" parameter in DIR/nginx.conf:1',
  ],
  [
    'OCSP with nobody to trust',
    `${PAIR} ssl_verify_client optional_no_ca; ssl_ocsp on;`,
    '"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"',
  ],
  [
    'a responder that is not asked over HTTP',
    `${PAIR} ssl_verify_client on; ssl_client_certificate ec.pem; ssl_ocsp on; ssl_ocsp_responder https://x;`,
    'invalid URL prefix in OCSP responder "https://x" in "ssl_ocsp_responder"',
  ],
  [
    'a responder whose host nobody knows',
    `${PAIR} ssl_verify_client on; ssl_client_certificate ec.pem; ssl_ocsp on; ssl_ocsp_responder http://nowhere.invalid/x;`,
    'host not found in OCSP responder "nowhere.invalid/x" in "ssl_ocsp_responder"',
  ],
  [
    'a responder at no port',
    `${PAIR} ssl_verify_client on; ssl_client_certificate ec.pem; ssl_ocsp on; ssl_ocsp_responder http://127.0.0.1:0/;`,
    'invalid port in OCSP responder "127.0.0.1:0/" in "ssl_ocsp_responder"',
  ],
  [
    'a response that is empty',
    `${PAIR} ssl_stapling on; ssl_stapling_file empty;`,
    'd2i_OCSP_RESPONSE_bio("DIR/empty") failed',
  ],
  [
    'a response that is a folder',
    `${PAIR} ssl_stapling on; ssl_stapling_file folder;`,
    'd2i_OCSP_RESPONSE_bio("DIR/folder") failed (SSL: error:80000015:system library::Is a directory:calling fread() error:10080002:BIO routines::system lib error:0680008E:asn1 encoding routines::not enough data)',
  ],
  [
    'a password too long for a line',
    `${PAIR} ssl_password_file long.txt;`,
    'too long line in "DIR/long.txt" in DIR/nginx.conf:1',
  ],
  [
    'passwords in a folder',
    `${PAIR} ssl_password_file folder;`,
    'read() "DIR/folder" failed (21: Is a directory) in DIR/nginx.conf:1',
  ],
  [
    'authorities as data, which are files only',
    `${PAIR} ssl_trusted_certificate data:x;`,
    'cannot load certificate "DIR/data:x": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/data:x, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'a certificate in a store, where only keys can be',
    'ssl_certificate store:x; ssl_certificate_key ec.key;',
    'cannot load certificate "DIR/store:x": BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(DIR/store:x, r) error:10000080:BIO routines::no such file)',
  ],
  [
    'no certificate',
    '',
    'no "ssl_certificate" is defined for the "listen ... ssl" directive in DIR/nginx.conf:1',
  ],
];

const PASSES: readonly (readonly [name: string, server: string])[] = [
  ['two kinds of certificates', `${PAIR} ssl_certificate rsa.pem; ssl_certificate_key rsa.key;`],
  [
    'a password among several',
    'ssl_certificate locked.pem; ssl_certificate_key locked.key; ssl_password_file right.txt;',
  ],
  [
    'names with variables, whose files need not be there',
    'ssl_certificate $ssl_server_name.pem; ssl_certificate_key $ssl_server_name.key; ssl_certificate_cache max=10 inactive=1m valid=1m;',
  ],
  ['a session cache in two statements', `${PAIR} ssl_session_cache shared:S:1m; ssl_session_cache builtin;`],
  ['handshakes that are rejected', 'ssl_reject_handshake on;'],
  ['keys of tickets', `${PAIR} ssl_session_ticket_key ticket;`],
  [
    'commands',
    `${PAIR} ssl_conf_command Options PrioritizeChaCha; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;`,
  ],
];

describe('-t of ssl_*', () => {
  for (const [name, server, said] of CASES) {
    test(name, () => {
      assert.ok(testOf(server).includes(`[emerg] ${said}\n`), testOf(server));
    });
  }

  for (const [name, server] of PASSES) {
    test(`takes ${name}`, () => {
      assert.match(testOf(server), /test is successful\n$/);
    });
  }

  test('says what keeps a key locked', () => {
    const said = testOf(
      'ssl_certificate locked.pem; ssl_certificate_key locked.key; ssl_password_file wrong.txt;',
    );
    assert.match(
      said,
      /\[emerg\] cannot load certificate key "DIR\/locked.key": PEM_read_bio_PrivateKey\(\) failed \(SSL: error:/,
    );
  });

  test('takes what is data', () => {
    const data = (file: string): string => `"data:${certificates.read(file)}"`;
    assert.match(
      testOf(`ssl_certificate ${data('ec.pem')}; ssl_certificate_key ${data('ec.key')};`),
      /test is successful\n$/,
    );
  });
});
