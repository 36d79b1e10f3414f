/** What `-t` says of an `upstream` block's balancing methods. Each row holds for nginx too. */

const block = (text: string): string => `upstream a { ${text} server 127.0.0.1; }`;
const LEARN = 'lookup=$arg_a create=$arg_a';
const learning = (name: string, zone: string): string =>
  `upstream ${name} { sticky learn ${LEARN} zone=${zone}; server 127.0.0.1; }\n`;

const IN_BLOCK: readonly (readonly [text: string, message: string])[] = [
  ['least_conn; least_conn;', '[warn] load balancing method redefined'],
  ['hash a; hash b;', '[warn] load balancing method redefined'],
  ['random; random two;', '[warn] load balancing method redefined'],
  ['sticky cookie a; least_conn;', '[warn] load balancing method redefined'],
  ['random three;', 'invalid parameter "three"'],
  ['random two least_time;', 'invalid parameter "least_time"'],
  ['random; server 127.0.0.1 backup;', 'balancing method does not support parameter "backup"'],
  ['least_time x;', 'invalid value "x"'],
  ['least_time header x;', 'invalid parameter "x"'],
  ['least_time;', 'invalid number of arguments in "least_time" directive'],
  ['server 127.0.0.1 route=;', 'route is empty'],
  ['server 127.0.0.1 route=123456789012345678901234567890123;', 'route is longer than 32'],
  ['sticky cookie a; sticky cookie b;', '"sticky" directive is duplicate'],
  ['sticky cookie;', 'invalid number of arguments in "sticky" directive'],
  ["sticky cookie '';", '"sticky" directive empty cookie name'],
  ['sticky constructor a;', 'unknown parameter "constructor"'],
  ['sticky route abc;', 'invalid variable name "abc"'],
  ['sticky route $;', 'invalid variable name "$"'],
  ['sticky cookie a domain=;', '"sticky" directive no value for "domain"'],
  ['sticky cookie a domain=a domain=b;', '"sticky" directive parameter "domain" is duplicate'],
  ['sticky cookie a path=;', '"sticky" directive no value for "path"'],
  ['sticky cookie a path=/ path=/;', '"sticky" directive parameter "path" is duplicate'],
  ['sticky cookie a expires=x;', '"sticky" directive invalid "expires" parameter value'],
  ['sticky cookie a expires=1 expires=max;', '"sticky" directive parameter "expires" is duplicate'],
  ['sticky cookie a httponly httponly;', '"sticky" directive parameter "httponly" is duplicate'],
  ['sticky cookie a secure secure;', '"sticky" directive parameter "secure" is duplicate'],
  ['sticky cookie a samesite=foo;', '"sticky" directive invalid "samesite" parameter value'],
  ['sticky cookie a samesite=lax samesite=lax;', '"sticky" directive parameter "samesite" is duplicate'],
  ['sticky cookie a secure=on;', 'unknown parameter "secure=on"'],
  ['sticky cookie a domain;', 'unknown parameter "domain"'],
  ['sticky learn foo;', 'unknown parameter "foo"'],
  ['sticky learn zone=z;', '"sticky" directive zone size is not specified'],
  ['sticky learn zone=:1m;', '"sticky" directive zone name is not specified'],
  ['sticky learn zone=z:x;', '"sticky" directive invalid zone size'],
  ['sticky learn zone=z:1k;', '"sticky" directive zone is too small'],
  ['sticky learn zone=z:1m zone=y:1m;', '"sticky" directive duplicate zone'],
  ['sticky learn timeout=0;', '"sticky" directive invalid timeout'],
  ['sticky learn timeout=1 timeout=2;', '"sticky" directive duplicate timeout'],
  ['sticky learn lookup=a;', '"sticky" directive missing variable in the "lookup" parameter'],
  ['sticky learn create=;', '"sticky" directive missing variable in the "create" parameter'],
  ['sticky learn create=$arg_a;', '"sticky" directive "lookup" parameter is not specified'],
  ['sticky learn lookup=$arg_a;', '"sticky" directive "create" parameter is not specified'],
  ['sticky learn lookup=$arg_a create=$arg_a;', '"sticky" directive "zone" parameter is not specified'],
];

/** What stands inside of http, the message, and its line; 0: nginx names no place. */
export const BALANCING_ROWS: readonly (readonly ['http', string, string, number])[] = [
  ...IN_BLOCK.map(([text, message]) => ['http', block(text), message, 3] as const),
  ['http', block('sticky route $nosuch;'), 'unknown "nosuch" variable', 0],
  [
    'http',
    learning('a', 'z:1m') + learning('b', 'z:1m'),
    'sticky zone "z" is already used in upstream "a"',
    4,
  ],
  [
    'http',
    learning('a', 'z:1m') + learning('b', 'z:2m'),
    'the size 2097152 of shared memory zone "z" conflicts with already declared size 1048576',
    4,
  ],
  [
    'http',
    `${learning('a', 'z:1m')}upstream b { zone z 1m; server 127.0.0.1; }`,
    'the shared memory zone "z" is already declared for a different use',
    4,
  ],
];
