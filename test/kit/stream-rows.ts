/** What `-t` says of the small modules of `stream`. Each row holds for nginx too. */

const IN_BLOCK: readonly (readonly [text: string, message: string])[] = [
  ['map $a $b { default 1; default 2; }', 'duplicate default map parameter'],
  ['map $a b { }', 'invalid variable name "b"'],
  ['map $a $b { a 1 2; }', 'invalid number of the map parameters'],
  ['map $a $remote_addr { a 1; }', 'the duplicate "remote_addr" variable'],
  ['geo $g { proxy 127.0.0.1; }', 'invalid network "proxy"'],
  ['geo $g { proxy_recursive; }', 'invalid number of the geo parameters'],
  ['geo $g { 10.0.0.1/8 a; }', '[warn] low address bits of 10.0.0.1/8 are meaningless'],
  ['split_clients $remote_addr $v { 60% a; 50% b; }', 'percent total is greater than 100%'],
  ['allow x;', 'invalid parameter "x"'],
  ['set $a b;', '"set" directive is not allowed here'],
  ['pass 127.0.0.1:80;', '"pass" directive is not allowed here'],
  ['limit_conn_status 503;', '"limit_conn_status" directive is not allowed here'],
  ['limit_conn_zone $remote_addr zone=a:1k;', 'zone "zone=a:1k" is too small'],
  ['limit_conn_zone $remote_addr zone=z:1m;', 'limit_conn_zone "z" is already bound to key "$remote_addr"'],
  [
    'limit_conn_zone $remote_addr zone=z:2m;',
    'the size 2097152 of shared memory zone "z" conflicts with already declared size 1048576',
  ],
  [
    'upstream u { zone z 1m; server 127.0.0.1:1; }',
    'the shared memory zone "z" is already declared for a different use',
  ],
  ['set_real_ip_from 1.2.3.4/40;', 'host not found in set_real_ip_from "1.2.3.4/40"'],
  ['real_ip_header X-Real-IP;', '"real_ip_header" directive is not allowed here'],
];

const IN_SERVER: readonly (readonly [text: string, message: string])[] = [
  ['return x; set a b;', 'invalid variable name "a"'],
  ['return x; set $remote_addr b;', 'the duplicate "remote_addr" variable'],
  ['return x; limit_conn z 0;', 'invalid number of connections "0"'],
  ['return x; limit_conn z 65536;', 'connection limit must be less 65536'],
  ['return x; limit_conn z 1; limit_conn z 2;', '"limit_conn" directive is duplicate'],
  ['pass 127.0.0.1;', '"pass" directive has no port'],
  ['pass example.com:80;', '"pass" directive has no addresses'],
  ['pass 8080;', '"pass" directive has no addresses'],
  ['pass 127.0.0.1:0;', 'invalid port in "127.0.0.1:0" of the "pass" directive'],
  ['pass unix:;', 'no path in the unix domain socket in "unix:" of the "pass" directive'],
  ['pass [::1;', 'invalid host in "[::1" of the "pass" directive'],
  ['pass 127.0.0.1:80; pass 127.0.0.1:81;', '"pass" directive is duplicate'],
];

/** Behind a zone `z` in stream, or in a server there: the text, the message, its line; 0: nginx names no place. */
export const STREAM_ROWS: readonly (readonly ['stream' | 'stream-server', string, string, number])[] = [
  ...IN_BLOCK.map(([text, message]) => ['stream', text, message, 4] as const),
  ...IN_SERVER.map(([text, message]) => ['stream-server', text, message, 6] as const),
  ['stream-server', 'return $nosuch;', 'unknown "nosuch" variable', 0],
  ['stream-server', 'return x; limit_conn y 1;', 'zero size shared memory zone "y"', 0],
];
