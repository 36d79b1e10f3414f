/** What `-t` says of an `upstream` block's balancing methods. Each row holds for nginx too. */

const block = (text: string): string => `upstream a { ${text} server 127.0.0.1; }`;

const IN_BLOCK: readonly (readonly [text: string, message: string])[] = [
  ['least_conn; least_conn;', '[warn] load balancing method redefined'],
  ['hash a; hash b;', '[warn] load balancing method redefined'],
];

/** What stands inside of http, the message, and its line. */
export const BALANCING_ROWS: readonly (readonly ['http', string, string, number])[] = IN_BLOCK.map(
  ([text, message]) => ['http', block(text), message, 3],
);
