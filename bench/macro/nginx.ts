import fs from 'node:fs'
import path from 'node:path'
import { findProgram, versionOf } from './command.ts'
import { answers, freePort, start, until, type Running } from './process.ts'
import { host, type Shape, type Subject } from './subject.ts'
import { startPair } from './start-pair.ts'

/** One process, no master: what is measured is all there is. */
const around = (dir: string, http: string): string => `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 2048; }
http {
  access_log off;
  keepalive_requests 1000000000;
  keepalive_timeout 300s;
  client_body_temp_path ${dir};
  proxy_temp_path ${dir};
  fastcgi_temp_path ${dir};
  uwsgi_temp_path ${dir};
  scgi_temp_path ${dir};
${http}
}
`

/** Starts nginx in the foreground with an \`http\` block's insides. */
export async function startNginx(dir: string, port: number, http: string): Promise<Running> {
  fs.mkdirSync(dir, { recursive: true })
  const file = path.join(dir, 'nginx.conf')
  fs.writeFileSync(file, around(dir, http))
  const running = start([findProgram('nginx') ?? '', '-p', dir, '-c', file, '-e', 'stderr'], { cwd: dir })
  await until(`nginx listens on ${port}`, () => answers(port), running)
  return running
}

/** The program behind every proxy: 100 bytes, always the same, from memory. */
export const backendConfiguration = (port: number): string => `
  server {
    listen 127.0.0.1:${port} reuseport backlog=1024;
    location / { default_type text/plain; return 200 "${'x'.repeat(100)}"; }
  }`

export const startBackend = (dir: string, port: number): Promise<Running> =>
  startNginx(dir, port, backendConfiguration(port))

const proxy = (role: 'client' | 'server', port: number, nextPort: number, { mtls, certificates }: Shape): string => {
  const { ca, client, server } = certificates
  const isCallee = mtls && role === 'server'
  const isCaller = mtls && role === 'client'
  const listen = isCallee
    ? `listen 127.0.0.1:${port} ssl;
    ssl_certificate ${server.certificate};
    ssl_certificate_key ${server.key};
    ssl_client_certificate ${ca};
    ssl_verify_client on;
    ssl_protocols TLSv1.3;
    if ($ssl_client_s_dn != "CN=client") { return 403; }`
    : `listen 127.0.0.1:${port};`
  const next = isCaller
    ? `proxy_pass https://next;
      proxy_ssl_certificate ${client.certificate};
      proxy_ssl_certificate_key ${client.key};
      proxy_ssl_trusted_certificate ${ca};
      proxy_ssl_verify on;
      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_server_name on;
      proxy_ssl_name server;`
    : 'proxy_pass http://next;'
  const pass = `proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Request-ID $request_id;
      proxy_next_upstream error timeout;
      ${next}`
  return `
  upstream next { least_conn; server 127.0.0.1:${nextPort}; keepalive 128; keepalive_requests 1000000000; }
  server {
    ${listen}
    server_name ${host};
    location / { ${pass} }
    location /other/ { ${pass} }
  }
  server { ${listen.split('\n')[0] ?? ''} server_name other; ${isCallee ? `ssl_certificate ${server.certificate}; ssl_certificate_key ${server.key};` : ''} location / { ${pass} } }`
}

async function startOne(
  role: 'client' | 'server',
  nextPort: number,
  shape: Shape,
): Promise<Running & { port: number }> {
  const port = await freePort()
  const running = await startNginx(path.join(shape.dir, role), port, proxy(role, port, nextPort, shape))
  return { ...running, port }
}

export const findNginx = (): { readonly version: string } | { readonly missing: string } =>
  findProgram('nginx') === undefined
    ? { missing: 'apt-get install nginx-light' }
    : { version: versionOf([findProgram('nginx') ?? '', '-v'], /nginx\/(\S+)/) }

export const nginx: Subject = {
  name: 'nginx',
  features:
    'one process, routing by host and path, request IDs, retries; the client by its name with mTLS; no statistics, no log',
  find: findNginx,
  start: (shape) => startPair(shape, startOne),
}
