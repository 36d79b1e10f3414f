/**
 * OpenSSL, the one inside Node: its functions as the node binary exports them, reached through koffi. Pointers are
 * numbers, 0 is none. Nothing but this folder knows them; see the table of `src/README.md` for why it is so.
 */
import { libc } from '../platform/libc.ts';

/** What a word of a signature is in C, and in JavaScript. */
interface Kinds {
  void: undefined;
  int: number;
  long: number;
  options: number;
  /** Any pointer. */
  ptr: number;
  /** Memory of ours: read, or filled. */
  bytes: Uint8Array;
  /** Text that the library owns; null for none. */
  text: string | null;
}

const IN_C: Readonly<Record<keyof Kinds, string>> = {
  void: 'void',
  int: 'int',
  long: 'long',
  options: 'uint64',
  ptr: 'int64',
  bytes: 'void *',
  text: 'const char *',
};

/** Result, then arguments. `_bytes` behind a name: the same function, given memory of ours where it wants a pointer. */
const SIGNATURES = {
  ASN1_TIME_print: ['int', 'ptr', 'ptr'],
  ASN1_item_d2i_bio: ['ptr', 'ptr', 'ptr', 'ptr'],
  BIO_ctrl: ['long', 'ptr', 'int', 'long', 'ptr'],
  BIO_ctrl_bytes: ['long', 'ptr', 'int', 'long', 'bytes'],
  BIO_free: ['int', 'ptr'],
  BIO_new: ['ptr', 'ptr'],
  BIO_new_file: ['ptr', 'bytes', 'bytes'],
  BIO_new_mem_buf: ['ptr', 'bytes', 'int'],
  BIO_new_socket: ['ptr', 'int', 'int'],
  BIO_read: ['int', 'ptr', 'bytes', 'int'],
  BIO_s_mem: ['ptr'],
  BIO_up_ref: ['int', 'ptr'],
  BIO_write_bytes: ['int', 'ptr', 'bytes', 'int'],
  BIO_write: ['int', 'ptr', 'ptr', 'int'],
  CRYPTO_malloc: ['ptr', 'long', 'ptr', 'int'],
  DH_free: ['void', 'ptr'],
  ERR_clear_error: ['void'],
  ERR_error_string_n: ['void', 'ptr', 'bytes', 'long'],
  ERR_get_error_all: ['ptr', 'ptr', 'ptr', 'ptr', 'bytes', 'bytes'],
  ERR_peek_error: ['ptr'],
  ERR_peek_last_error: ['ptr'],
  EVP_CIPHER_fetch: ['ptr', 'ptr', 'bytes', 'ptr'],
  EVP_DecryptInit_ex: ['int', 'ptr', 'ptr', 'ptr', 'bytes', 'ptr'],
  EVP_EncryptInit_ex: ['int', 'ptr', 'ptr', 'ptr', 'bytes', 'ptr'],
  EVP_MAC_init: ['int', 'ptr', 'bytes', 'long', 'ptr'],
  EVP_PKEY_free: ['void', 'ptr'],
  OBJ_nid2sn: ['text', 'int'],
  OCSP_BASICRESP_free: ['void', 'ptr'],
  OCSP_CERTID_free: ['void', 'ptr'],
  OCSP_REQUEST_free: ['void', 'ptr'],
  OCSP_REQUEST_new: ['ptr'],
  OCSP_RESPONSE_it: ['ptr'],
  OCSP_RESPONSE_free: ['void', 'ptr'],
  OCSP_basic_verify: ['int', 'ptr', 'ptr', 'ptr', 'long'],
  OCSP_cert_status_str: ['text', 'long'],
  OCSP_cert_to_id: ['ptr', 'ptr', 'ptr', 'ptr'],
  OCSP_check_validity: ['int', 'ptr', 'ptr', 'long', 'long'],
  OCSP_request_add0_id: ['ptr', 'ptr', 'ptr'],
  OCSP_resp_find_status: ['int', 'ptr', 'ptr', 'bytes', 'ptr', 'ptr', 'bytes', 'bytes'],
  OCSP_response_get1_basic: ['ptr', 'ptr'],
  OCSP_response_status: ['int', 'ptr'],
  OCSP_response_status_str: ['text', 'long'],
  OPENSSL_sk_free: ['void', 'ptr'],
  OPENSSL_sk_new_null: ['ptr'],
  OPENSSL_sk_num: ['int', 'ptr'],
  OPENSSL_sk_push: ['int', 'ptr', 'ptr'],
  OPENSSL_sk_value: ['ptr', 'ptr', 'int'],
  OSSL_STORE_INFO_free: ['void', 'ptr'],
  OSSL_STORE_INFO_get1_PKEY: ['ptr', 'ptr'],
  OSSL_STORE_INFO_get_type: ['int', 'ptr'],
  OSSL_STORE_close: ['int', 'ptr'],
  OSSL_STORE_eof: ['int', 'ptr'],
  OSSL_STORE_load: ['ptr', 'ptr'],
  OSSL_STORE_open: ['ptr', 'bytes', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_read_bio_DHparams: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_read_bio_PrivateKey: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_read_bio_X509: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_read_bio_X509_AUX: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_read_bio_X509_CRL: ['ptr', 'ptr', 'ptr', 'ptr', 'ptr'],
  PEM_write_bio_X509: ['int', 'ptr', 'ptr'],
  SSL_CIPHER_find: ['ptr', 'ptr', 'bytes'],
  SSL_CIPHER_get_name: ['text', 'ptr'],
  SSL_CONF_CTX_finish: ['int', 'ptr'],
  SSL_CONF_CTX_free: ['void', 'ptr'],
  SSL_CONF_CTX_new: ['ptr'],
  SSL_CONF_CTX_set_flags: ['int', 'ptr', 'int'],
  SSL_CONF_CTX_set_ssl_ctx: ['void', 'ptr', 'ptr'],
  SSL_CONF_cmd: ['int', 'ptr', 'bytes', 'bytes'],
  SSL_CONF_cmd_value_type: ['int', 'ptr', 'bytes'],
  SSL_CTX_callback_ctrl: ['long', 'ptr', 'int', 'ptr'],
  SSL_CTX_clear_options: ['options', 'ptr', 'options'],
  SSL_CTX_ctrl: ['long', 'ptr', 'int', 'long', 'ptr'],
  SSL_CTX_ctrl_bytes: ['long', 'ptr', 'int', 'long', 'bytes'],
  SSL_CTX_free: ['void', 'ptr'],
  SSL_CTX_get_cert_store: ['ptr', 'ptr'],
  SSL_CTX_get_options: ['options', 'ptr'],
  SSL_CTX_get_verify_callback: ['ptr', 'ptr'],
  SSL_CTX_get_verify_depth: ['int', 'ptr'],
  SSL_CTX_get_verify_mode: ['int', 'ptr'],
  SSL_CTX_new: ['ptr', 'ptr'],
  SSL_CTX_sess_set_get_cb: ['void', 'ptr', 'ptr'],
  SSL_CTX_sess_set_new_cb: ['void', 'ptr', 'ptr'],
  SSL_CTX_sess_set_remove_cb: ['void', 'ptr', 'ptr'],
  SSL_CTX_remove_session: ['int', 'ptr', 'ptr'],
  SSL_CTX_set_alpn_select_cb: ['void', 'ptr', 'ptr', 'ptr'],
  SSL_CTX_set_cert_cb: ['void', 'ptr', 'ptr', 'ptr'],
  SSL_CTX_set_cipher_list: ['int', 'ptr', 'bytes'],
  SSL_CTX_set_client_CA_list: ['void', 'ptr', 'ptr'],
  SSL_CTX_set_client_hello_cb: ['void', 'ptr', 'ptr', 'ptr'],
  SSL_CTX_set_max_early_data: ['int', 'ptr', 'int'],
  SSL_CTX_set_options: ['options', 'ptr', 'options'],
  SSL_CTX_set_session_id_context: ['int', 'ptr', 'bytes', 'int'],
  SSL_CTX_set_timeout: ['long', 'ptr', 'long'],
  SSL_CTX_set_tlsext_ticket_key_evp_cb: ['int', 'ptr', 'ptr'],
  SSL_CTX_set_verify: ['void', 'ptr', 'int', 'ptr'],
  SSL_CTX_set_verify_depth: ['void', 'ptr', 'int'],
  SSL_CTX_use_PrivateKey: ['int', 'ptr', 'ptr'],
  SSL_CTX_use_certificate: ['int', 'ptr', 'ptr'],
  SSL_SESSION_free: ['void', 'ptr'],
  SSL_SESSION_get_id: ['ptr', 'ptr', 'bytes'],
  SSL_SESSION_get_time: ['long', 'ptr'],
  SSL_SESSION_get_timeout: ['long', 'ptr'],
  SSL_SESSION_set1_id_context: ['int', 'ptr', 'bytes', 'int'],
  SSL_SESSION_set_time: ['long', 'ptr', 'long'],
  SSL_SESSION_set_timeout: ['long', 'ptr', 'long'],
  SSL_accept: ['int', 'ptr'],
  SSL_clear_options: ['options', 'ptr', 'options'],
  SSL_ctrl: ['long', 'ptr', 'int', 'long', 'ptr'],
  SSL_ctrl_bytes: ['long', 'ptr', 'int', 'long', 'bytes'],
  SSL_do_handshake: ['int', 'ptr'],
  SSL_free: ['void', 'ptr'],
  SSL_get0_alpn_selected: ['void', 'ptr', 'bytes', 'bytes'],
  SSL_get0_verified_chain: ['ptr', 'ptr'],
  SSL_get1_peer_certificate: ['ptr', 'ptr'],
  SSL_get_current_cipher: ['ptr', 'ptr'],
  SSL_get_error: ['int', 'ptr', 'int'],
  SSL_get_options: ['options', 'ptr'],
  SSL_get_peer_cert_chain: ['ptr', 'ptr'],
  SSL_get_servername: ['text', 'ptr', 'int'],
  SSL_get_session: ['ptr', 'ptr'],
  SSL_get_sigalgs: ['int', 'ptr', 'int', 'ptr', 'ptr', 'ptr', 'bytes', 'bytes'],
  SSL_get_verify_result: ['long', 'ptr'],
  SSL_get_version: ['text', 'ptr'],
  SSL_get_certificate: ['ptr', 'ptr'],
  SSL_group_to_name: ['text', 'ptr', 'int'],
  SSL_has_pending: ['int', 'ptr'],
  SSL_is_init_finished: ['int', 'ptr'],
  SSL_new: ['ptr', 'ptr'],
  SSL_read: ['int', 'ptr', 'ptr', 'int'],
  SSL_read_early_data: ['int', 'ptr', 'ptr', 'long', 'bytes'],
  SSL_session_reused: ['int', 'ptr'],
  SSL_set0_rbio: ['void', 'ptr', 'ptr'],
  SSL_set0_wbio: ['void', 'ptr', 'ptr'],
  SSL_set_SSL_CTX: ['ptr', 'ptr', 'ptr'],
  SSL_set_num_tickets: ['int', 'ptr', 'long'],
  SSL_set_accept_state: ['void', 'ptr'],
  SSL_set_alpn_protos: ['int', 'ptr', 'bytes', 'int'],
  SSL_set_connect_state: ['void', 'ptr'],
  SSL_set_options: ['options', 'ptr', 'options'],
  SSL_set_session: ['int', 'ptr', 'ptr'],
  SSL_set_shutdown: ['void', 'ptr', 'int'],
  SSL_set_verify: ['void', 'ptr', 'int', 'ptr'],
  SSL_set_verify_depth: ['void', 'ptr', 'int'],
  SSL_shutdown: ['int', 'ptr'],
  SSL_use_PrivateKey: ['int', 'ptr', 'ptr'],
  SSL_use_certificate: ['int', 'ptr', 'ptr'],
  SSL_version: ['int', 'ptr'],
  SSL_write_bytes: ['int', 'ptr', 'bytes', 'int'],
  SSL_write: ['int', 'ptr', 'ptr', 'int'],
  SSL_write_early_data_bytes: ['int', 'ptr', 'bytes', 'long', 'bytes'],
  SSL_write_early_data: ['int', 'ptr', 'ptr', 'long', 'bytes'],
  TLS_method: ['ptr'],
  UI_UTIL_wrap_read_pem_callback: ['ptr', 'ptr', 'int'],
  UI_destroy_method: ['void', 'ptr'],
  X509_CRL_free: ['void', 'ptr'],
  X509_NAME_cmp: ['int', 'ptr', 'ptr'],
  X509_NAME_dup: ['ptr', 'ptr'],
  X509_NAME_oneline: ['ptr', 'ptr', 'bytes', 'int'],
  X509_NAME_print_ex: ['int', 'ptr', 'ptr', 'int', 'long'],
  X509_STORE_CTX_free: ['void', 'ptr'],
  X509_STORE_CTX_get1_chain: ['ptr', 'ptr'],
  X509_STORE_CTX_get1_issuer: ['int', 'bytes', 'ptr', 'ptr'],
  X509_STORE_CTX_init: ['int', 'ptr', 'ptr', 'ptr', 'ptr'],
  X509_STORE_CTX_new: ['ptr'],
  X509_STORE_add_cert: ['int', 'ptr', 'ptr'],
  X509_STORE_add_crl: ['int', 'ptr', 'ptr'],
  X509_STORE_set_flags: ['int', 'ptr', 'long'],
  X509_chain_up_ref: ['ptr', 'ptr'],
  X509_check_host: ['int', 'ptr', 'bytes', 'long', 'int', 'ptr'],
  X509_check_issued: ['int', 'ptr', 'ptr'],
  X509_email_free: ['void', 'ptr'],
  X509_free: ['void', 'ptr'],
  X509_get0_notAfter: ['ptr', 'ptr'],
  X509_get0_notBefore: ['ptr', 'ptr'],
  X509_get1_ocsp: ['ptr', 'ptr'],
  X509_get_issuer_name: ['ptr', 'ptr'],
  X509_get_serialNumber: ['ptr', 'ptr'],
  X509_get_subject_name: ['ptr', 'ptr'],
  X509_verify_cert: ['int', 'ptr'],
  X509_verify_cert_error_string: ['text', 'long'],
  d2i_OCSP_RESPONSE: ['ptr', 'ptr', 'bytes', 'long'],
  d2i_SSL_SESSION: ['ptr', 'ptr', 'bytes', 'long'],
  d2i_X509: ['ptr', 'ptr', 'bytes', 'long'],
  i2a_ASN1_INTEGER: ['int', 'ptr', 'ptr'],
  i2d_OCSP_REQUEST: ['int', 'ptr', 'bytes'],
  i2d_SSL_SESSION: ['int', 'ptr', 'bytes'],
  i2d_X509: ['int', 'ptr', 'bytes'],
  i2d_X509_NAME: ['int', 'ptr', 'bytes'],
} as const satisfies Readonly<Record<string, readonly (keyof Kinds)[]>>;

type Arguments<A extends readonly (keyof Kinds)[]> = {
  -readonly [I in keyof A]: A[I] extends 'bytes' ? Uint8Array | null : Kinds[A[I]];
};
type Call<S> = S extends readonly [infer R extends keyof Kinds, ...infer A extends readonly (keyof Kinds)[]]
  ? (...args: Arguments<A>) => Kinds[R]
  : never;
export type OpenSsl = { readonly [N in keyof typeof SIGNATURES]: Call<(typeof SIGNATURES)[N]> };

/** Orders for BIO_ctrl: empty it; where its bytes are; how many there are. */
export const BIO_RESET = 1;
export const BIO_INFO = 3;
export const BIO_PENDING = 10;

/** A version, as SSL_version gives it. */
export const TLS1_3 = 0x0304;

let calls: OpenSsl | undefined;

const load = (): OpenSsl => {
  const { library } = libc();
  const bound: Record<string, unknown> = {};
  for (const [name, [result, ...args]] of Object.entries(SIGNATURES)) {
    bound[name] = library.func(
      name.replace(/_bytes$/, ''),
      IN_C[result],
      args.map((kind) => IN_C[kind]),
    );
  }
  return bound as OpenSsl;
};

/** The functions. Throws LibcMissing without koffi, and koffi's error where Node hides a function. */
export const openssl = (): OpenSsl => {
  calls ??= load();
  return calls;
};

/** Text as C has it: latin1, ended by a zero byte. */
export const cText = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

/** Where the memory of `bytes` is; it must not be garbage while the library may use it. */
export const addressOf = (bytes: Uint8Array): number => Number(libc().koffi.address(bytes));

/** A copy of memory that the library owns. */
export const copyOf = (at: number, length: number): Buffer =>
  at === 0 || length === 0
    ? Buffer.alloc(0)
    : Buffer.from(new Uint8Array(libc().koffi.view(BigInt(at), length)));

/** The library's memory itself, for as long as it is there. */
export const viewOf = (at: number, length: number): Uint8Array =>
  new Uint8Array(libc().koffi.view(BigInt(at), length));

/** A function of ours that the library calls: `int (int64, int64, ...)`; `result` and `args` in C. Lives for ever. */
export const callback = (
  result: string,
  args: readonly string[],
  call: (...args: number[]) => number | undefined,
): number => {
  const { koffi } = libc();
  return Number(koffi.register(call, koffi.pointer(koffi.proto(result, [...args]))));
};

/** A pointer in memory of ours that the library has filled. */
export const pointerIn = (bytes: Buffer, offset = 0): number =>
  bytes.readUInt32LE(offset) + bytes.readUInt32LE(offset + 4) * 2 ** 32;

/** What an `i2d_` function writes of the object at `at`. */
export const derOf = (
  call: 'i2d_X509' | 'i2d_X509_NAME' | 'i2d_SSL_SESSION' | 'i2d_OCSP_REQUEST',
  at: number,
): Buffer => {
  const write = openssl()[call];
  const bytes = Buffer.alloc(Math.max(0, write(at, null)));
  const pointer = Buffer.alloc(8);
  pointer.writeBigUInt64LE(BigInt(addressOf(bytes)));
  if (bytes.length > 0) write(at, pointer);
  return bytes;
};

/** What the library reads where it is, and nothing else may refer to. */
const held = new Set<Uint8Array>();

/** The object that a `d2i_` function makes of bytes, to be freed by the caller; 0 when they are wrong. */
export const readDer = (
  call: 'd2i_X509' | 'd2i_SSL_SESSION' | 'd2i_OCSP_RESPONSE',
  bytes: Uint8Array,
): number => {
  const pointer = Buffer.alloc(8);
  held.add(bytes);
  pointer.writeBigUInt64LE(BigInt(addressOf(bytes)));
  const made = openssl()[call](0, pointer, bytes.length);
  held.delete(bytes);
  return made;
};
