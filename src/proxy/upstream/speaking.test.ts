import assert from 'node:assert/strict'
import { once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import net, { type AddressInfo, type Server, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import type { Cluster, UpstreamTls } from '../config.ts'
import { testCall } from '../http/http1/testing/raw.ts'
import { buildCluster } from '../testing/build-config.ts'
import { createTestAuthority } from '../testing/certificates.ts'
import { ask, startUpstream } from './testing/upstream.ts'

/** Says which version it was asked by. */
const sayVersion = (
  request: IncomingMessage | http2.Http2ServerRequest,
  response: ServerResponse | http2.Http2ServerResponse,
): void => void response.end(request.httpVersion)

async function listen(
  t: TestContext,
  server: Server | http2.Http2Server | http2.Http2SecureServer,
  port = 0,
): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => void sockets.add(socket.on('error', () => {})))
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

test('by the caller: calls of HTTP/2 go by HTTP/2, the others by HTTP/1.1, each on connections of their own', async (t) => {
  const one = await listen(t, http.createServer(sayVersion))
  const two = await listen(t, http2.createServer(sayVersion))
  // One place for both: the first bytes tell them apart.
  const port = await listen(
    t,
    net.createServer((socket) =>
      socket.once('data', (first: Buffer) => {
        const inner = net.connect(first.toString('latin1').startsWith('PRI') ? two : one, '127.0.0.1')
        inner.on('error', () => {}).write(first)
        socket.pipe(inner).pipe(socket)
      }),
    ),
  )
  const upstream = startUpstream(t)
  const cluster: Cluster = { ...buildCluster('web', [{ host: '127.0.0.1', port }]), protocolBy: 'downstream' }
  const said: string[] = []
  for (const protocol of ['h2', 'http/1.1', 'h2', 'http/1.0'] as const)
    said.push(await ask(upstream, cluster, testCall({ protocol })))
  assert.deepEqual(said, ['2.0', '1.1', '2.0', '1.1'])
  assert.deepEqual(Object.keys(upstream.describe()['web']?.endpoints ?? {}), [
    `127.0.0.1:${port} h2`,
    `127.0.0.1:${port}`,
  ])
  upstream.adopt(new Map([['web', { ...cluster }]]))
  assert.equal(upstream.describe()['web']?.connections, 2, 'connections of both protocols outlive a configuration')
})

test('by the server: ALPN decides, and is asked again when it has changed', async (t) => {
  const authority = await createTestAuthority()
  const { keyPem: key, chainPem: cert } = await authority.issue('dns:up.example')
  let connections = 0
  const start = async (server: Server | http2.Http2SecureServer, port?: number) => {
    server.on('connection', () => void connections++)
    return listen(t, server, port)
  }
  const old = https.createServer({ key, cert }, sayVersion)
  const port = await start(old)
  const upstream = startUpstream(t, systemClock, {
    secrets: { certificate: () => undefined, trust: () => authority.bundlePem },
  })
  const secure: UpstreamTls = {
    certificate: undefined,
    trust: { pem: authority.bundlePem },
    peer: { kind: 'names', oneOf: [] },
    sni: 'up.example',
    alpn: [],
  }
  const cluster: Cluster = {
    ...buildCluster('web', [{ host: '127.0.0.1', port }]),
    transports: new Map([['', secure]]),
    protocolBy: 'alpn',
  }
  assert.equal(await ask(upstream, cluster), '1.1')
  assert.equal(await ask(upstream, cluster), '1.1')
  assert.equal(connections, 2, 'one to learn what it speaks, and one that is used')
  old.closeAllConnections()
  old.close()
  await once(old, 'close')
  await start(http2.createSecureServer({ key, cert }, sayVersion), port)
  let said = ''
  // It speaks HTTP/2 and nothing else now: that is found out by a call that fails safely.
  for (let calls = 0; calls < 5 && said !== '2.0'; calls++) said = await ask(upstream, cluster)
  assert.equal(said, '2.0')
})
