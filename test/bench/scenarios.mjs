// What is measured, and the one configuration that nginx and Sluice both read for it.

/** The parameters of fastcgi_params, in short. */
const PARAMS = [
  'QUERY_STRING $query_string',
  'REQUEST_METHOD $request_method',
  'CONTENT_TYPE $content_type',
  'CONTENT_LENGTH $content_length',
  'SCRIPT_NAME $fastcgi_script_name',
  'REQUEST_URI $request_uri',
  'DOCUMENT_URI $document_uri',
  'SERVER_PROTOCOL $server_protocol',
  'REMOTE_ADDR $remote_addr',
  'REMOTE_PORT $remote_port',
  'SERVER_ADDR $server_addr',
  'SERVER_PORT $server_port',
  'SERVER_NAME $server_name',
];

const head = (dir, name) => `
worker_processes 1;
pid ${dir}/${name}.pid;
error_log ${dir}/${name}.log error;
events { worker_connections 4096; }
http {
  access_log off;
  default_type text/plain;
  keepalive_requests 100000000;
  keepalive_timeout 600s;
  client_body_temp_path ${dir}/${name}-body;
  proxy_temp_path ${dir}/${name}-proxy;
  fastcgi_temp_path ${dir}/${name}-fastcgi;
  uwsgi_temp_path ${dir}/${name}-uwsgi;
  scgi_temp_path ${dir}/${name}-scgi;
`;

/** The configuration of a proxy under test. */
export const proxyConf = ({ dir, name, ports, backend, backendHttp2, fastcgi }) => `${head(dir, name)}
  upstream pool { server 127.0.0.1:${backend}; keepalive 64; keepalive_requests 100000000; }
  upstream calls { server 127.0.0.1:${backendHttp2}; keepalive 64; keepalive_requests 100000000; }
  upstream fastcgi { server 127.0.0.1:${fastcgi || 9}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${ports.http} backlog=4096;
    # The old form, which an nginx before 1.25.1 has too.
    listen 127.0.0.1:${ports.http2} http2 backlog=4096;
    listen 127.0.0.1:${ports.tls} ssl backlog=4096;
    ssl_certificate ${dir}/bench.pem;
    ssl_certificate_key ${dir}/bench.key;
    # Said in full: an nginx before 1.23.4 does not speak TLS 1.3 by itself, which costs more than 1.2.
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets off;
    # Said in full, so that an nginx before 1.29.7 uses its pool too.
    location / { proxy_pass http://pool; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /plain { proxy_pass http://127.0.0.1:${backend}; proxy_http_version 1.0; }
    location = /return { return 200 "ok\\n"; }
    location /files/ { alias ${dir}/www/; }
    location = /call { grpc_pass grpc://calls; }
    location /fastcgi {
      fastcgi_pass fastcgi;
      fastcgi_keep_conn on;
      ${PARAMS.map((each) => `fastcgi_param ${each};`).join('\n      ')}
    }
  }
  server {
    listen 127.0.0.1:${ports.tls12} ssl backlog=4096;
    ssl_certificate ${dir}/bench.pem;
    ssl_certificate_key ${dir}/bench.key;
    ssl_protocols TLSv1.2;
    ssl_session_tickets off;
    location = /return { return 200 "ok\\n"; }
  }
}
`;

/** The configuration of nginx as the backend of both. */
export const backendConf = ({ dir, port, http2 }) => `${head(dir, 'backend')}
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${http2} http2 backlog=4096;
    location / { return 200 "hello from the backend, in a body of a usual small size\\n"; }
    location = /1m { root ${dir}/www; }
  }
}
`;

const CLOSE = ['Connection: close'];

/**
 * Name, path, how many connections send the requests, with how many HTTP/2 streams at a time, with which header lines,
 * to which of the ports (`http` when it does not say).
 */
export const SCENARIOS = [
  { name: 'proxy-keepalive', path: '/', connections: 32 },
  { name: 'proxy-no-keepalive', path: '/plain', connections: 32 },
  { name: 'proxy-1m', path: '/1m', connections: 8 },
  { name: 'return-200', path: '/return', connections: 32 },
  { name: 'static', path: '/files/1k', connections: 32 },
  { name: 'fastcgi', path: '/fastcgi?a=1', connections: 32, needs: 'fastcgi' },
  { name: 'close-200', path: '/return', connections: 16, headers: CLOSE, needs: 'wrk' },
  { name: 'tls-keepalive', path: '/', connections: 32, port: 'tls', needs: 'wrk' },
  { name: 'tls13-handshake', path: '/return', connections: 16, headers: CLOSE, port: 'tls', needs: 'wrk' },
  { name: 'tls12-handshake', path: '/return', connections: 16, headers: CLOSE, port: 'tls12', needs: 'wrk' },
  { name: 'h2-return-200', path: '/return', connections: 8, streams: 10, port: 'http2', needs: 'h2load' },
  { name: 'h2-proxy', path: '/', connections: 8, streams: 10, port: 'http2', needs: 'h2load' },
  { name: 'h2-static', path: '/files/1k', connections: 8, streams: 10, port: 'http2', needs: 'h2load' },
  { name: 'h2-grpc', path: '/call', connections: 8, streams: 10, port: 'http2', needs: 'calls' },
];
