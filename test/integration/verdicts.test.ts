/** What `-t` says of configurations that are wrong: nginx's words at nginx's line. Each row holds for nginx too. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { parseArguments } from '../../src/cli/arguments.ts';
import { invocationOf } from '../../src/cli/invocation.ts';
import { LEVELS, WARN } from '../../src/log/levels.ts';
import { CycleFailure, readCycle } from '../../src/process/cycle.ts';
import { program } from '../../src/program.ts';
import { BALANCING_ROWS } from '../kit/balancing-rows.ts';
import { BINARY, IS_NGINX } from '../kit/proxy.ts';
import { rigFor } from '../kit/rig.ts';
import { STREAM_ROWS } from '../kit/stream-rows.ts';

/** What is around the text: lines that come before it are counted in a row's last column. */
const AROUND = {
  whole: (text: string) => text,
  http: (text: string) => `events { }\nhttp {\n${text}\n}\n`,
  server: (text: string) => `events { }\nhttp {\nserver {\nlisten 18080;\n${text}\n}\n}\n`,
  stream: (text: string) =>
    `events { }\nstream {\nlimit_conn_zone $remote_addr zone=z:1m;\n${text}\nserver {\nlisten 18081;\nreturn x;\n}\n}\n`,
  'stream-server': (text: string) =>
    `events { }\nstream {\nlimit_conn_zone $remote_addr zone=z:1m;\nserver {\nlisten 18081;\n${text}\n}\n}\n`,
  location: (text: string) => `events { }\nhttp {\nserver {\nlisten 18080;\nlocation / {\n${text}\n}\n}\n}\n`,
};

/** Line 0: nginx names no place. */
type Row = readonly [around: keyof typeof AROUND, text: string, message: string, line: number];

const ROWS: readonly Row[] = [
  ['whole', 'foo bar;\nevents{}', 'unknown directive "foo"', 1],
  ['http', 'foo bar;', 'unknown directive "foo"', 3],
  ['server', 'foo bar;', 'unknown directive "foo"', 5],
  ['location', 'proxy_pas http://a;', 'unknown directive "proxy_pas"', 6],
  ['http', 'listen 80;', '"listen" directive is not allowed here', 3],
  ['server', 'proxy_pass http://127.0.0.1;', '"proxy_pass" directive is not allowed here', 5],
  ['whole', 'server { }\nevents{}', '"server" directive is not allowed here', 1],
  ['http', 'location / { }', '"location" directive is not allowed here', 3],
  ['location', 'root;', 'invalid number of arguments in "root" directive', 6],
  ['server', 'listen;', 'invalid number of arguments in "listen" directive', 5],
  ['location', 'proxy_pass http://a http://b;', 'invalid number of arguments in "proxy_pass" directive', 6],
  ['location', 'sendfile;', 'invalid number of arguments in "sendfile" directive', 6],
  ['location', 'sendfile yes;', 'invalid value "yes" in "sendfile" directive, it must be "on" or "off"', 6],
  ['location', 'root /a;\nroot /b;', '"root" directive is duplicate', 7],
  [
    'location',
    'proxy_pass http://127.0.0.1:1;\nproxy_pass http://127.0.0.1:2;',
    '"proxy_pass" directive is duplicate',
    7,
  ],
  ['whole', 'events{}\nhttp { }\nhttp { }', '"http" directive is duplicate', 3],
  ['whole', 'events{}\nevents{}', '"events" directive is duplicate', 2],
  [
    'whole',
    'worker_processes 1;\nworker_processes 2;\nevents{}',
    '"worker_processes" directive is duplicate',
    2,
  ],
  ['location', 'root /a', 'unexpected "}"', 7],
  ['whole', 'events {\n', 'unexpected end of file, expecting "}"', 2],
  ['whole', 'events { }\n}\n', 'unexpected "}"', 2],
  ['location', 'root /a { }', 'directive "root" is not terminated by ";"', 6],
  ['http', 'server;', 'directive "server" has no opening "{"', 3],
  ['location', 'root "/a;', 'unexpected end of file, expecting ";" or "}"', 10],
  ['location', 'root "/a"b;', 'unexpected "b"', 6],
  ['http', ';', 'unexpected ";"', 3],
  ['http', '{ }', 'unexpected "{"', 3],
  ['location', 'client_max_body_size 1x;', '"client_max_body_size" directive invalid value', 6],
  ['location', 'client_max_body_size -1;', '"client_max_body_size" directive invalid value', 6],
  ['location', 'proxy_read_timeout 1q;', '"proxy_read_timeout" directive invalid value', 6],
  ['whole', 'worker_processes x;\nevents{}', '"worker_processes" directive invalid value', 1],
  ['location', 'proxy_buffers 0 4k;', '"proxy_buffers" directive invalid value', 6],
  ['location', 'proxy_buffers 8 4z;', '"proxy_buffers" directive invalid value', 6],
  ['location', 'proxy_buffers 1 4k;', 'there must be at least 2 "proxy_buffers"', 9],
  [
    'location',
    'proxy_busy_buffers_size 1k;',
    '"proxy_busy_buffers_size" must be equal to or greater than the maximum of the value of "proxy_buffer_size" and one of the "proxy_buffers"',
    9,
  ],
  [
    'location',
    'proxy_busy_buffers_size 64k;',
    '"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one buffer',
    9,
  ],
  [
    'location',
    'proxy_max_temp_file_size 1k;',
    '"proxy_max_temp_file_size" must be equal to zero to disable temporary files usage or must be equal to or greater than the maximum of the value of "proxy_buffer_size" and one of the "proxy_buffers"',
    9,
  ],
  ['location', 'proxy_http_version 3;', 'invalid value "3"', 6],
  ['location', 'proxy_next_upstream foo;', 'invalid value "foo"', 6],
  ['location', 'proxy_next_upstream error error;', '[warn] duplicate value "error"', 6],
  ['server', 'location ~ ( { }', 'pcre2_compile() failed: missing closing parenthesis in "("', 5],
  [
    'server',
    'location ~ a[ { }',
    'pcre2_compile() failed: missing terminating ] for character class in "a["',
    5,
  ],
  ['server', 'server_name ~^(a;', 'pcre2_compile() failed: missing closing parenthesis in "^(a"', 5],
  ['location', 'rewrite ^/(a /b;', 'pcre2_compile() failed: missing closing parenthesis in "^/(a"', 6],
  ['location', 'return 200 $nosuch;', 'unknown "nosuch" variable', 0],
  ['http', 'log_format x $nosuch2;', 'unknown "nosuch2" variable', 0],
  ['location', 'return 200 ${a;', 'the closing bracket in "a" variable is missing', 6],
  ['location', 'return 200 $;', 'invalid variable name', 6],
  ['server', 'listen 18080;', 'a duplicate listen 0.0.0.0:18080', 5],
  [
    'http',
    'server { listen 18080 default_server; }\nserver { listen 18080 default_server; }',
    'a duplicate default server for 0.0.0.0:18080',
    4,
  ],
  [
    'http',
    'server { listen 18080 backlog=10; }\nserver { listen 18080 backlog=20; }',
    'duplicate listen options for 0.0.0.0:18080',
    4,
  ],
  ['server', 'listen 0;', 'invalid port in "0" of the "listen" directive', 5],
  ['server', 'listen 70000;', 'invalid port in "70000" of the "listen" directive', 5],
  ['server', 'listen 18081 foo;', 'invalid parameter "foo"', 5],
  ['server', 'listen 18081 backlog=x;', 'invalid backlog "backlog=x"', 5],
  ['server', 'listen [::]:18081 ipv6only=x;', 'invalid parameter "ipv6only=x"', 5],
  ['server', 'listen 18081 so_keepalive=x;', 'invalid so_keepalive value: "x"', 5],
  ['server', 'listen unix:;', 'no path in the unix domain socket in "unix:" of the "listen" directive', 5],
  ['server', 'listen [::g]:80;', 'invalid IPv6 address in "[::g]:80" of the "listen" directive', 5],
  ['server', 'listen 18081 ssl;', 'no "ssl_certificate" is defined for the "listen ... ssl" directive', 3],
  ['server', 'listen 18081 rcvbuf=x;', 'invalid rcvbuf "rcvbuf=x"', 5],
  ['server', 'listen 18081 fastopen=x;', 'invalid fastopen "fastopen=x"', 5],
  ['server', 'listen 18090-18085;', 'invalid port range in "18090-18085" of the "listen" directive', 5],
  ['server', 'location /a { }\nlocation /a { }', 'duplicate location "/a"', 6],
  ['server', 'location = /a { }\nlocation = /a { }', 'duplicate location "/a"', 6],
  [
    'server',
    'location /z { }\nlocation /z { }\nlocation /a { }\nlocation /a { }',
    'duplicate location "/a"',
    8,
  ],
  ['server', 'location =~ /a { }', 'invalid location modifier "=~"', 5],
  ['server', 'location /a { location /b { } }', 'location "/b" is outside location "/a"', 5],
  [
    'server',
    'location = /a { location /a/b { } }',
    'location "/a/b" cannot be inside the exact location "/a"',
    5,
  ],
  [
    'server',
    'location @a { location /a/b { } }',
    'location "/a/b" cannot be inside the named location "@a"',
    5,
  ],
  ['server', 'location /a { location @b { } }', 'named location "@b" can be on the server level only', 5],
  ['http', 'upstream a { server 127.0.0.1; }\nupstream a { server 127.0.0.1; }', 'duplicate upstream "a"', 4],
  ['http', 'upstream a { }', 'no servers are inside upstream', 3],
  ['http', 'upstream { server 127.0.0.1; }', 'invalid number of arguments in "upstream" directive', 3],
  ['http', 'upstream a { server; }', 'invalid number of arguments in "server" directive', 3],
  ['http', 'upstream a { server 127.0.0.1 weight=0; }', 'invalid parameter "weight=0"', 3],
  ['http', 'upstream a { server 127.0.0.1 weight=x; }', 'invalid parameter "weight=x"', 3],
  ['http', 'upstream a { server 127.0.0.1 foo=1; }', 'invalid parameter "foo=1"', 3],
  ['http', 'upstream a { server 127.0.0.1 max_fails=x; }', 'invalid parameter "max_fails=x"', 3],
  ['http', 'upstream a { server 127.0.0.1 fail_timeout=x; }', 'invalid parameter "fail_timeout=x"', 3],
  ['http', 'upstream a { server 127.0.0.1:99999; }', 'invalid port in upstream "127.0.0.1:99999"', 3],
  [
    'http',
    'upstream a { hash $uri; server 127.0.0.1 backup; }',
    'balancing method does not support parameter "backup"',
    3,
  ],
  [
    'http',
    'upstream a { ip_hash; server 127.0.0.1 backup; }',
    'balancing method does not support parameter "backup"',
    3,
  ],
  ['http', 'upstream a { server 127.0.0.1; keepalive x; }', 'invalid value "x" in "keepalive" directive', 3],
  [
    'http',
    'upstream a { least_conn; ip_hash; server 127.0.0.1; }',
    '[warn] load balancing method redefined',
    3,
  ],
  ['http', 'upstream a { server 127.0.0.1 backup; }', 'no servers in upstream "a"', 3],
  ['http', 'upstream a { server 127.0.0.1 slow_start=3; }', 'invalid parameter "slow_start=3"', 3],
  ['http', 'upstream a { hash $nosuch; server 127.0.0.1; }', 'unknown "nosuch" variable', 0],
  ['http', 'upstream a { zone z 1k; server 127.0.0.1; }', 'zone "z" is too small', 3],
  ['http', 'upstream a { zone "" 64k; server 127.0.0.1; }', 'invalid zone name ""', 3],
  [
    'http',
    'upstream a { server 127.0.0.1; }\nserver { listen 18080; location / { proxy_pass http://a:81; } }',
    'upstream "a" may not have port 81',
    4,
  ],
  ['location', 'proxy_pass 127.0.0.1;', 'invalid URL prefix', 6],
  ['location', 'proxy_pass http://127.0.0.1:99999;', 'invalid port in upstream "127.0.0.1:99999"', 6],
  ['location', 'proxy_pass http://;', 'no host in upstream ""', 6],
  ['location', 'proxy_pass http://unix:;', 'no path in the unix domain socket in upstream "unix:"', 6],
  [
    'server',
    'location ~ /a { proxy_pass http://127.0.0.1/b; }',
    '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, or inside "if" statement, or inside "limit_except" block',
    5,
  ],
  [
    'server',
    'location @a { proxy_pass http://127.0.0.1/b; }',
    '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, or inside "if" statement, or inside "limit_except" block',
    5,
  ],
  [
    'location',
    'if ($uri) { proxy_pass http://127.0.0.1/b; }',
    '"proxy_pass" cannot have URI part in location given by regular expression, or inside named location, or inside "if" statement, or inside "limit_except" block',
    6,
  ],
  [
    'location',
    'proxy_redirect default;\nproxy_pass http://127.0.0.1;',
    '"proxy_redirect default" should be placed after the "proxy_pass" directive',
    6,
  ],
  [
    'location',
    'proxy_pass http://$host;\nproxy_redirect default;',
    '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
    7,
  ],
  ['location', 'proxy_bind foo;', 'invalid address "foo"', 6],
  ['location', 'fastcgi_pass 127.0.0.1;', 'no port in upstream "127.0.0.1"', 6],
  ['location', 'fastcgi_split_path_info ^(.+)$;', 'pattern "^(.+)$" must have 2 captures', 6],
  ['location', 'fastcgi_param A;', 'invalid number of arguments in "fastcgi_param" directive', 6],
  ['location', 'if () { }', 'invalid condition ")"', 6],
  ['location', 'if $uri { }', 'invalid condition "$uri"', 6],
  ['location', 'if ($uri == a) { }', 'unexpected "==" in condition', 6],
  ['location', 'if { }', 'invalid number of arguments in "if" directive', 6],
  ['location', 'if ($uri { }', 'invalid condition "$uri"', 6],
  ['location', 'if ($uri ~ ( ) { }', 'pcre2_compile() failed: missing closing parenthesis in "("', 6],
  ['location', 'return 99999;', 'invalid return code "99999"', 6],
  ['location', 'return abc;', 'invalid return code "abc"', 6],
  ['location', 'return 200 a b;', 'invalid number of arguments in "return" directive', 6],
  ['location', 'return;', 'invalid number of arguments in "return" directive', 6],
  ['location', 'rewrite a b foo;', 'invalid parameter "foo"', 6],
  ['location', 'rewrite a;', 'invalid number of arguments in "rewrite" directive', 6],
  ['location', 'set x 1;', 'invalid variable name "x"', 6],
  ['location', 'set $uri 1;', 'the duplicate "uri" variable', 6],
  ['location', 'set $sent_http_content_type 1;', 'the duplicate "sent_http_content_type" variable', 6],
  [
    'location',
    'set $sent_http_etag 1;\nset $proxy_host 1;\nset $proxy_port 1;\nfoo;',
    'unknown directive "foo"',
    9,
  ],
  ['http', 'map $scheme $https {\na b;\n}', 'the duplicate "https" variable', 3],
  ['http', 'geo $https {\n10.0.0.1 b;\n}', 'the duplicate "https" variable', 3],
  ['http', 'split_clients $uri $https {\n* b;\n}', 'the duplicate "https" variable', 3],
  ['location', 'set $ 1;', 'invalid variable name "$"', 6],
  ['location', 'error_page 200 /a;', 'value "200" must be between 300 and 599', 6],
  ['location', 'error_page 404;', 'invalid number of arguments in "error_page" directive', 6],
  ['location', 'error_page 404 =99999x /a;', 'invalid value "=99999x"', 6],
  ['location', 'error_page 499 /a;', 'invalid value "499"', 6],
  ['location', 'error_page abc /a;', 'invalid value "abc"', 6],
  ['server', 'server_name *a;', 'server name "*a" is invalid', 5],
  ['server', 'server_name a/b;', '[warn] server name "a/b" has suspicious symbols', 5],
  [
    'http',
    'server { listen 18080; server_name a; }\nserver { listen 18080; server_name a; }',
    '[warn] conflicting server name "a" on 0.0.0.0:18080, ignored',
    0,
  ],
  [
    'http',
    'server { listen 18080; server_name a.*.b; }\nserver { listen 18080; server_name c; }',
    'invalid server name or wildcard "a.*.b" on 0.0.0.0:18080',
    0,
  ],
  [
    'location',
    'alias /a;\nroot /b;',
    '"root" directive is duplicate, "alias" directive was specified earlier',
    7,
  ],
  ['location', 'alias /a;\nalias /b;', '"alias" directive is duplicate', 7],
  [
    'location',
    'root $document_root;',
    'the $document_root variable cannot be used in the "root" directive',
    6,
  ],
  [
    'location',
    'alias $realpath_root;',
    'the $realpath_root variable cannot be used in the "alias" directive',
    6,
  ],
  ['location', 'limit_except FOO { }', 'invalid method "FOO"', 6],
  ['location', 'limit_rate 1x;', '"limit_rate" directive invalid value', 6],
  [
    'http',
    'types { text/html html; text/plain html; }',
    '[warn] duplicate extension "html", content type: "text/plain", previous content type: "text/html"',
    3,
  ],
  ['http', 'types { text/html { } }', 'unexpected "{"', 3],
  ['http', 'log_format a x;\nlog_format a y;', 'duplicate "log_format" name "a"', 4],
  ['location', 'access_log logs/x nosuch;', 'unknown log format "nosuch"', 6],
  ['location', 'access_log logs/x combined buffer=x;', 'invalid buffer size "x"', 6],
  ['location', 'access_log logs/x combined foo=x;', 'invalid parameter "foo=x"', 6],
  ['location', 'access_log off combined;', 'invalid parameter "combined"', 6],
  ['whole', 'error_log logs/e.log foo;\nevents{}', 'invalid log level "foo"', 1],
  ['whole', 'error_log logs/e.log info foo;\nevents{}', 'invalid log level "foo"', 1],
  [
    'whole',
    'events { worker_connections 0; }',
    '0 worker_connections are not enough for 0 listening sockets',
    0,
  ],
  [
    'whole',
    'events { worker_connections 1; }\nhttp { server { listen 18080; } }',
    '1 worker_connections are not enough for 1 listening sockets',
    0,
  ],
  ['whole', 'events { use foo; }', 'invalid event type "foo"', 1],
  ['whole', 'events { use kqueue; }', 'invalid event type "kqueue"', 1],
  ['whole', 'worker_rlimit_nofile x;\nevents{}', '"worker_rlimit_nofile" directive invalid number', 1],
  ['whole', 'worker_priority x;\nevents{}', '"worker_priority" directive invalid number', 1],
  ['whole', 'events { debug_connection foo; }', 'host not found in debug_connection "foo"', 1],
  [
    'whole',
    'daemon foo;\nevents{}',
    'invalid value "foo" in "daemon" directive, it must be "on" or "off"',
    1,
  ],
  [
    'server',
    'large_client_header_buffers 4 128;',
    'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"',
    7,
  ],
  [
    'http',
    'large_client_header_buffers 4 300;\nserver { listen 18080; }',
    'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"',
    5,
  ],
  [
    'server',
    'connection_pool_size 1k;\nlarge_client_header_buffers 4 512;',
    'the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"',
    8,
  ],
  ['server', 'connection_pool_size 100;', 'the pool size must be no less than 112', 5],
  ['server', 'connection_pool_size 1000;', 'the pool size must be a multiple of 16', 5],
  ['server', 'request_pool_size 100;', 'the pool size must be no less than 112', 5],
  ['location', 'keepalive_timeout x;', '"keepalive_timeout" directive invalid value', 6],
  ['location', 'keepalive_timeout 5 x;', '"keepalive_timeout" directive invalid value', 6],
  ['location', 'resolver;', 'invalid number of arguments in "resolver" directive', 6],
  ['location', 'resolver 127.0.0.1 foo=1;', 'host not found in resolver "foo=1"', 6],
  ['http', 'map $uri $x { a 1; a 2; }', 'conflicting parameter "a"', 3],
  ['http', 'map $uri $x { default 1; default 2; }', 'duplicate default map parameter', 3],
  ['http', 'map $uri x { }', 'invalid variable name "x"', 3],
  ['http', 'map $uri $x { a 1 2; }', 'invalid number of the map parameters', 3],
  ['http', 'map $uri $x { ~( 1; }', 'pcre2_compile() failed: missing closing parenthesis in "("', 3],
  ['http', 'geo $x { 1.2.3.400 a; }', 'invalid network "1.2.3.400"', 3],
  ['http', 'split_clients $uri $x { 60% a; 50% b; }', 'percent total is greater than 100%', 3],
  ['http', 'split_clients $uri $x { 0.001% a; * b; }', 'invalid percent value "0.001%"', 3],
  ['location', 'allow 1.2.3.400;', 'invalid parameter "1.2.3.400"', 6],
  ['location', 'allow 1.2.3.4/24;', '[warn] low address bits of 1.2.3.4/24 are meaningless', 6],
  ['location', 'deny foo;', 'invalid parameter "foo"', 6],
  ['location', 'limit_req zone=nosuch;', 'zero size shared memory zone "nosuch"', 0],
  ['http', 'limit_req_zone $uri zone=a:1k rate=1r/s;', 'zone "zone=a:1k" is too small', 3],
  ['http', 'limit_req_zone $uri zone=a:1m rate=x;', 'invalid rate "rate=x"', 3],
  ['http', 'limit_req_zone $uri rate=1r/s;', 'invalid number of arguments in "limit_req_zone" directive', 3],
  ['location', 'limit_conn nosuch 1;', 'zero size shared memory zone "nosuch"', 0],
  ['http', 'limit_conn_zone $uri zone=a:1m;\nlimit_conn a 0;', 'invalid number of connections "0"', 4],
  ['location', 'expires foo;', '"expires" directive invalid value', 6],
  ['location', 'add_header A;', 'invalid number of arguments in "add_header" directive', 6],
  ['location', 'add_header A b c;', 'invalid parameter "c"', 6],
  ['location', 'gzip_comp_level 10;', 'value must be between 1 and 9', 6],
  ['location', 'gzip_types text/html;', '[warn] duplicate MIME type "text/html"', 6],
  ['location', 'try_files /a;', 'invalid number of arguments in "try_files" directive', 6],
  ['location', 'try_files /a =x;', 'invalid code "=x"', 6],
  ['location', 'index "";', 'index "" in "index" directive is invalid', 6],
  ['location', 'internal x;', 'invalid number of arguments in "internal" directive', 6],
  ['location', 'satisfy some;', 'invalid value "some"', 6],
  ['location', 'default_type;', 'invalid number of arguments in "default_type" directive', 6],
  ['server', 'stub_status on off;', 'invalid number of arguments in "stub_status" directive', 5],
  ['location', 'set_real_ip_from foo;', 'host not found in set_real_ip_from "foo"', 6],
  ['location', 'valid_referers;', 'invalid number of arguments in "valid_referers" directive', 6],
  [
    'location',
    'client_body_temp_path a 1 2 3 4;',
    'invalid number of arguments in "client_body_temp_path" directive',
    6,
  ],
  ['location', 'client_body_temp_path a 8 9 9;', '"client_body_temp_path" directive invalid value', 6],
  ['location', 'sub_filter a;', 'invalid number of arguments in "sub_filter" directive', 6],
  ['location', 'server_tokens maybe;', 'invalid value "maybe"', 6],
  ['location', 'merge_slashes on;', '"merge_slashes" directive is not allowed here', 6],
  ['location', 'underscores_in_headers on;', '"underscores_in_headers" directive is not allowed here', 6],
  ['location', 'set $a "$b";', 'unknown "b" variable', 0],
  ['http', 'variables_hash_max_size x;', '"variables_hash_max_size" directive invalid number', 3],
  ['http', 'types_hash_bucket_size 1x;', '"types_hash_bucket_size" directive invalid number', 3],
  ['location', 'proxy_cookie_path a;', 'invalid parameter "a"', 6],
  ['location', 'proxy_store foo bar;', 'invalid number of arguments in "proxy_store" directive', 6],
  ['location', 'proxy_method;', 'invalid number of arguments in "proxy_method" directive', 6],
  ['location', 'proxy_set_header A;', 'invalid number of arguments in "proxy_set_header" directive', 6],
  ['location', 'proxy_ignore_headers Foo;', 'invalid value "Foo"', 6],
  ['location', 'mirror off;\nmirror /a;', '"mirror" directive is duplicate', 7],
  ...BALANCING_ROWS,
  ...STREAM_ROWS,
];

interface Outcome {
  readonly code: number;
  /** Without the program's name, times and process numbers. */
  readonly lines: readonly string[];
}

const rig = rigFor({ after });
mkdirSync(join(rig.dir, 'logs'));
let files = 0;

const write = (text: string): string => {
  files += 1;
  const file = join(rig.dir, `${files}.conf`);
  writeFileSync(file, text, 'latin1');
  return file;
};

const test = (file: string): Promise<Outcome> => {
  const words = ['-t', '-p', `${rig.dir}/`, '-c', file, '-e', 'stderr'];
  return new Promise((resolve) => {
    execFile(BINARY, words, { encoding: 'latin1' }, (error, _stdout, stderr) => {
      const lines = stderr
        .split('\n')
        .map((line) => line.replace(/^nginx: /, '').replace(/^\S+ \S+ (\[\w+\]) \d+#\d+: /, '$1 '));
      resolve({ code: error ? Number(error.code) : 0, lines });
    });
  });
};

/** What Sluice finds, without a process for each of so many rows. */
const read = (file: string): Outcome => {
  const lines: string[] = [];
  const log = {
    level: WARN,
    write: (level: number, message: string) => void lines.push(`[${LEVELS[level]}] ${message}`),
  };
  try {
    readCycle(program, invocationOf(parseArguments(['-t', '-p', rig.dir, '-c', file])), log, {
      testing: true,
    });
    return { code: 0, lines };
  } catch (error) {
    if (error instanceof CycleFailure) return { code: 1, lines };
    throw error;
  }
};

describe('a wrong configuration', { concurrency: 2 }, () => {
  for (const [around, text, message, line] of ROWS) {
    it(`${around}: ${text}`, async () => {
      const file = write(AROUND[around](text));
      const { code, lines } = IS_NGINX ? await test(file) : read(file);
      const warning = message.startsWith('[warn] ');
      const reported = warning ? message : `[emerg] ${message}`;
      const first = lines.find((one) => /^\[(emerg|warn)\]/.test(one));
      assert.equal(first, line > 0 ? `${reported} in ${file}:${line}` : reported);
      assert.equal(code, warning ? 0 : 1);
    });
  }
});

describe('variables that nothing defines', () => {
  it('are all listed', { skip: IS_NGINX }, () => {
    const { lines } = read(write(AROUND.location('set $a $nosuch1;\nadd_header X $nosuch2;')));
    assert.deepEqual(lines, ['[emerg] unknown "nosuch1" variable', '[emerg] unknown "nosuch2" variable']);
  });
});

describe('more connections than open files', () => {
  it('are a warning', async () => {
    const limited = (limit: number, level: string): string =>
      `error_log stderr ${level};\nworker_rlimit_nofile ${limit};\nevents { worker_connections 99999999; }\n`;
    const beyond = await test(write(limited(1000, 'warn')));
    assert.equal(beyond.code, 0);
    assert.ok(
      beyond.lines.includes('[warn] 99999999 worker_connections exceed open file resource limit: 1000'),
      beyond.lines.join('\n'),
    );
    for (const quiet of [limited(99999999, 'warn'), limited(1000, 'error')]) {
      const { lines } = await test(write(quiet));
      assert.ok(!lines.some((line) => line.startsWith('[warn]')), lines.join('\n'));
    }
  });
});

describe('logs that cannot be written', () => {
  const refuses = async (log: string, reason: string): Promise<void> => {
    const { code, lines } = await test(write(`error_log ${log};\nevents { }\nhttp { }\n`));
    assert.ok(lines.includes(`[emerg] open() "${log}" failed (${reason})`), lines.join('\n'));
    assert.equal(code, 1);
  };

  it('are an error where they are a folder', () => refuses(rig.dir, '21: Is a directory'));

  it('are an error where they are below a file', async () => {
    const file = write('');
    await refuses(join(file, 'log'), '20: Not a directory');
  });

  it('are an error where they are a socket', async () => {
    const socket = join(rig.dir, 'log-socket');
    const server = createServer().listen(socket);
    rig.defer(() => void server.close());
    await once(server, 'listening');
    await refuses(socket, '6: No such device or address');
  });
});

describe('addresses that cannot be bound', () => {
  it('are an error', async () => {
    const { code, lines } = await test(write(AROUND.server('listen 192.0.2.77:18099;')));
    assert.ok(
      lines.includes('[emerg] bind() to 192.0.2.77:18099 failed (99: Cannot assign requested address)'),
      lines.join('\n'),
    );
    assert.equal(code, 1);
  });

  it('are an error where a socket has no folder', async () => {
    const { code, lines } = await test(write(AROUND.server('listen unix:/no-such-folder/socket;')));
    assert.ok(
      lines.includes('[emerg] bind() to unix:/no-such-folder/socket failed (2: No such file or directory)'),
      lines.join('\n'),
    );
    assert.equal(code, 1);
  });

  it('are none where the address is free, or somebody has it already', async () => {
    const socket = join(rig.dir, 'socket');
    const free = await test(write(AROUND.server(`listen unix:${socket}; listen 127.0.0.3:18080;`)));
    assert.equal(free.code, 0, free.lines.join('\n'));
    assert.equal(existsSync(socket), false);
    const taken = createServer().listen(0, '127.0.0.4');
    rig.defer(() => void taken.close());
    await once(taken, 'listening');
    const address = taken.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    const inUse = await test(write(AROUND.server(`listen 127.0.0.4:${port};`)));
    assert.equal(inUse.code, 0, inUse.lines.join('\n'));
  });
});
