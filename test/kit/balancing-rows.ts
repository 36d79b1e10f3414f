/** What `-t` says of an `upstream` block's balancing methods. Each row holds for nginx too. */

const block = (text: string): string => `upstream a { ${text} server 127.0.0.1; }`;

const IN_BLOCK: readonly (readonly [text: string, message: string])[] = [
  ['least_conn; least_conn;', '[warn] load balancing method redefined'],
  ['hash a; hash b;', '[warn] load balancing method redefined'],
  ['random; random two;', '[warn] load balancing method redefined'],
  ['random three;', 'invalid parameter "three"'],
  ['random two least_time;', 'invalid parameter "least_time"'],
  ['random; server 127.0.0.1 backup;', 'balancing method does not support parameter "backup"'],
  ['least_time x;', 'invalid value "x"'],
  ['least_time header x;', 'invalid parameter "x"'],
  ['least_time;', 'invalid number of arguments in "least_time" directive'],
  ['server 127.0.0.1 route=;', 'route is empty'],
  ['server 127.0.0.1 route=123456789012345678901234567890123;', 'route is longer than 32'],
];

/** What stands inside of http, the message, and its line. */
export const BALANCING_ROWS: readonly (readonly ['http', string, string, number])[] = IN_BLOCK.map(
  ([text, message]) => ['http', block(text), message, 3],
);
