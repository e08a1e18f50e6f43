import fs from 'node:fs'
import path from 'node:path'
import { findProgram, versionOf } from './command.ts'
import { answers, freePort, start, until, type Running } from './process.ts'
import { host, type Shape, type Subject } from './subject.ts'
import { startPair } from './start-pair.ts'

function configuration(
  role: 'client' | 'server',
  port: number,
  nextPort: number,
  { mtls, certificates }: Shape,
): string {
  const { ca, client, server } = certificates
  const bindTls =
    mtls && role === 'server'
      ? ` ssl ssl-min-ver TLSv1.3 crt ${server.both} ca-file ${ca} verify required alpn http/1.1`
      : ''
  const nextTls =
    mtls && role === 'client'
      ? ` ssl ssl-min-ver TLSv1.3 crt ${client.both} ca-file ${ca} verify required verifyhost server sni str(server) alpn http/1.1`
      : ''
  return `global
  nbthread 1
  maxconn 2000
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-request 10s
  http-reuse always
  retries 2
  option redispatch
  unique-id-format %{+X}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header x-request-id
frontend in
  bind 127.0.0.1:${port}${bindTls}
  ${mtls && role === 'server' ? 'http-request deny unless { ssl_c_s_dn(CN) -m str client }' : ''}
  acl is_web hdr(host) -i ${host} ${host}:80
  acl is_other hdr(host) -i other
  use_backend other if is_other
  use_backend other if is_web { path_beg /other/ }
  use_backend next if is_web
backend next
  balance leastconn
  server one 127.0.0.1:${nextPort}${nextTls}
backend other
  balance leastconn
  server one 127.0.0.1:${nextPort}${nextTls}
`
}

async function startOne(
  role: 'client' | 'server',
  nextPort: number,
  shape: Shape,
): Promise<Running & { port: number }> {
  const port = await freePort()
  const file = path.join(shape.dir, `${role}.cfg`)
  fs.writeFileSync(file, configuration(role, port, nextPort, shape))
  const running = start([findProgram('haproxy') ?? '', '-db', '-f', file], { cwd: shape.dir })
  await until(`haproxy ${role} listens`, () => answers(port), running)
  return { ...running, port }
}

export const haproxy: Subject = {
  name: 'HAProxy',
  features:
    'nbthread 1, routing by host and path, statistics, retries, request IDs; the client by its name with mTLS; no log',
  find: () =>
    findProgram('haproxy') === undefined
      ? { missing: 'apt-get install haproxy' }
      : { version: versionOf([findProgram('haproxy') ?? '', '-v'], /version (\S+?)[-\s]/) },
  start: (shape) => startPair(shape, startOne),
}
