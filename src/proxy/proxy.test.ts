import assert from 'node:assert/strict'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import type { Address } from '../base/address.ts'
import type { ProxyConfig } from './config.ts'
import {
  buildCluster,
  buildConfig,
  buildInbound,
  buildOutbound,
  buildPassthrough,
  buildTable,
} from './testing/build-config.ts'
import { createTestAuthority } from './testing/certificates.ts'
import { curl, eventually, ownAddress, refusingAddress, program, startProxy, type TestProxy } from './testing/world.ts'

const callerId = 'spiffe://weft.local/ns/default/sa/caller'
const webId = 'spiffe://weft.local/ns/default/sa/web'

/** An ordinary program that knows nothing of us. */
async function webServer(t: TestContext, handler: http.RequestListener): Promise<Address & { server: http.Server }> {
  const server = http.createServer(handler).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, server }
}

const echoing: http.RequestListener = (request, response) => {
  let body = ''
  request.setEncoding('latin1').on('data', (chunk: string) => (body += chunk))
  request.on('end', () =>
    response.end(JSON.stringify({ ...request.headers, method: request.method, url: request.url, body })),
  )
}

interface Mesh {
  readonly proxyUrl: string
  readonly inboundAt: Address
  readonly outbound: TestProxy
  readonly inbound: TestProxy
  readonly authority: Awaited<ReturnType<typeof createTestAuthority>>
}

/** caller → outbound proxy → mTLS → inbound proxy → program. */
async function mesh(
  t: TestContext,
  upstream: Address,
  {
    expected = [webId],
    serverId = webId,
    strict = true,
  }: { expected?: readonly string[]; serverId?: string; strict?: boolean } = {},
): Promise<Mesh> {
  const authority = await createTestAuthority()
  const trust = { trustPem: authority.bundlePem }
  const inboundAt = await ownAddress(t)
  const outboundAt = await ownAddress(t)
  const inbound = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(inboundAt, 'program', { strict })],
      clusters: [buildCluster('program', [upstream])],
      ...trust,
    }),
    { identity: await authority.issue(serverId) },
  )
  const outbound = await startProxy(t, outboundConfig(outboundAt, inboundAt, expected, authority.bundlePem), {
    identity: await authority.issue(callerId),
  })
  return { proxyUrl: `http://127.0.0.1:${outboundAt.port}`, inboundAt, outbound, inbound, authority }
}

const outboundConfig = (at: Address, to: Address, expected: readonly string[], trustPem: string): ProxyConfig =>
  buildConfig({
    listeners: [buildOutbound(at)],
    clusters: [buildCluster('default/web/80', [to], { peerIds: expected }), buildPassthrough()],
    routes: [buildTable('default/web/80', 'default/web/80')],
    names: [{ namespace: 'default', name: 'web', port: 80 }],
    trustPem,
  })

test('client → outbound → mTLS → inbound → program, with curl', async (t) => {
  const { proxyUrl, inboundAt } = await mesh(t, await webServer(t, echoing))
  for (const args of [
    ['-x', proxyUrl, 'http://web/a?b'],
    ['-p', '-x', proxyUrl, 'http://web.default/a?b'],
  ]) {
    const { status, text } = await curl(...args, '-H', 'x-forwarded-client-cert: URI=spiffe://evil', '-d', 'hello')
    assert.equal(status, 200, text)
    const seen = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as Record<string, string>
    assert.match(seen['x-forwarded-client-cert'] ?? '', new RegExp(`^By=${webId};Hash=[0-9a-f]{64};URI=${callerId}$`))
    assert.equal(seen['body'], 'hello')
    assert.equal(seen['url'], '/a?b')
    assert.match(seen['x-request-id'] ?? '', /^[0-9a-f-]{36}$/)
  }
  const plain = await curl(`http://127.0.0.1:${inboundAt.port}/`)
  assert.notEqual(plain.exit, 0, 'STRICT takes no plain text')
})

test('the wrong peer identity is refused by the caller', async (t) => {
  const { proxyUrl } = await mesh(t, await webServer(t, echoing), {
    serverId: 'spiffe://weft.local/ns/default/sa/other',
  })
  const { status, text } = await curl('-x', proxyUrl, 'http://web/')
  assert.equal(status, 503)
  assert.match(
    text,
    /x-weft-fault: tls-failed[\s\S]*certificate is for spiffe:\/\/weft\.local\/ns\/default\/sa\/other, not for/,
  )
})

test('an expired or foreign caller is refused by the receiver, as tls-failed on the caller', async (t) => {
  const { proxyUrl, outbound, authority } = await mesh(t, await webServer(t, echoing))
  outbound.identity.set(await authority.issue(callerId, -1000))
  const expired = await curl('-x', proxyUrl, 'http://web/')
  assert.equal(expired.status, 503)
  assert.match(expired.text, /x-weft-fault: (tls-failed|reset)/)
  outbound.identity.set(await (await createTestAuthority()).issue(callerId))
  assert.equal((await curl('-x', proxyUrl, 'http://web/')).status, 503)
  outbound.identity.set(await authority.issue([callerId, 'spiffe://weft.local/ns/default/sa/web']))
  assert.equal((await curl('-x', proxyUrl, 'http://web/')).status, 503, 'two names prove nobody')
  outbound.identity.set(await authority.issue(callerId))
  assert.equal((await curl('-x', proxyUrl, 'http://web/')).status, 200)
})

test('a renewed identity is used by new connections, and the old ones are not dropped', async (t) => {
  const server = await webServer(t, (request, response) => {
    response.write('first ')
    if (request.url === '/slow') setTimeout(() => response.end('last'), 200)
    else response.end(String(request.headers['x-forwarded-client-cert']))
  })
  const { proxyUrl, outbound, inbound, inboundAt, authority } = await mesh(t, server)
  const slow = curl('-x', proxyUrl, 'http://web/slow')
  await eventually(() => server.server.listenerCount('request') > 0)
  const nextServer = await authority.issue(webId)
  inbound.identity.set(nextServer)
  outbound.identity.set(await authority.issue(callerId))
  assert.match((await slow).text, /first last$/)
  const identity = await authority.issue(callerId)
  const socket = tls.connect({
    ...inboundAt,
    key: identity.keyPem,
    cert: identity.chainPem,
    ca: authority.bundlePem,
    ALPNProtocols: ['weft', 'http/1.1'],
    checkServerIdentity: () => undefined,
  })
  await once(socket, 'secureConnect')
  assert.equal(socket.alpnProtocol, 'http/1.1')
  assert.ok(
    nextServer.chainPem
      .replaceAll(/\s/g, '')
      .includes(socket.getPeerX509Certificate()?.raw.toString('base64').slice(0, 60) ?? 'none'),
  )
  socket.destroy()
})

test('sessions are not resumed', async (t) => {
  const { inboundAt, authority } = await mesh(t, await webServer(t, echoing))
  const identity = await authority.issue(callerId)
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const open = async (session?: Buffer): Promise<{ reused: boolean; session: Buffer | undefined }> => {
      const sessions: Buffer[] = []
      const socket = tls.connect({
        ...inboundAt,
        ...(session === undefined ? {} : { session }),
        maxVersion,
        key: identity.keyPem,
        cert: identity.chainPem,
        ca: authority.bundlePem,
        ALPNProtocols: ['weft', 'http/1.1'],
        checkServerIdentity: () => undefined,
      })
      socket.on('session', (one: Buffer) => sessions.push(one)).on('error', () => {})
      await once(socket, 'secureConnect')
      const reused = socket.isSessionReused()
      sessions.push(...[socket.getSession()].filter((one) => one !== undefined))
      socket.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n')
      socket.resume()
      await once(socket, 'close')
      return { reused, session: sessions.at(-1) }
    }
    const first = await open()
    const second = await open(first.session)
    assert.equal(second.reused, false, maxVersion)
  }
})

test('a program that is down is told as not processed, only to mesh peers', async (t) => {
  const { proxyUrl, inboundAt } = await mesh(t, await refusingAddress(t), { strict: false })
  const viaMesh = await curl('-X', 'POST', '-x', proxyUrl, 'http://web/')
  assert.equal(viaMesh.status, 503)
  assert.match(viaMesh.text, /x-weft-fault: not-processed/)
  assert.doesNotMatch(viaMesh.text, /x-weft-upstream-fault/)
  const stranger = await curl(`http://127.0.0.1:${inboundAt.port}/`)
  assert.match(stranger.text, /x-weft-fault: connect-failed/)
  assert.doesNotMatch(stranger.text, /x-weft-upstream-fault/)
})

test('a program cannot say that it processed nothing', async (t) => {
  const server = await webServer(t, (_, response) => {
    response.writeHead(503, { 'x-weft-upstream-fault': 'not-processed' }).end('mine')
  })
  const { proxyUrl } = await mesh(t, server)
  const { status, text } = await curl('-x', proxyUrl, 'http://web/')
  assert.equal(status, 503)
  assert.match(text, /mine$/)
  assert.doesNotMatch(text, /x-weft/)
})

test('a WebSocket goes through both proxies', async (t) => {
  const at = await program(t, (socket) => {
    socket.once('data', (bytes: Buffer) => {
      assert.match(bytes.toString(), /upgrade: websocket\r\n/i)
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      socket.pipe(socket)
    })
  })
  const { proxyUrl } = await mesh(t, at)
  const socket = net.connect(Number(new URL(proxyUrl).port), '127.0.0.1')
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.write('GET http://web/ HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  await eventually(() => text.includes('\r\n\r\n'))
  assert.match(text, /^HTTP\/1\.1 101 /)
  socket.write('ping')
  await eventually(() => text.endsWith('ping'))
  socket.end()
  await once(socket, 'end')
})

test('raw bytes in a CONNECT tunnel reach the program over mTLS, each end on its own', async (t) => {
  const at = await program(t, (socket) => {
    socket.write('hello ')
    socket.on('data', (chunk: Buffer) => void socket.write(chunk.toString('latin1').toUpperCase()))
    socket.on('end', () => socket.end(' bye'))
  })
  const { proxyUrl } = await mesh(t, at)
  const socket = net.connect({ port: Number(new URL(proxyUrl).port), host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.write('CONNECT web:80 HTTP/1.1\r\nHost: web:80\r\n\r\n')
  await eventually(() => text.endsWith('hello '))
  socket.write('abc')
  await eventually(() => text.endsWith('ABC'))
  socket.end('d')
  await once(socket, 'end')
  assert.equal(text, 'HTTP/1.1 200 OK\r\n\r\nhello ABCD bye')
})

test('hosts outside of the mesh pass by; the listener itself answers with help', async (t) => {
  const outside = await webServer(t, echoing)
  const { proxyUrl } = await mesh(t, await refusingAddress(t))
  const passed = await curl('-x', proxyUrl, `http://127.0.0.1:${outside.port}/x`)
  assert.equal(passed.status, 200, passed.text)
  const help = await curl(`${proxyUrl}/`)
  assert.equal(help.status, 400)
  assert.match(help.text, /http_proxy=/)
  const loop = await curl('-x', proxyUrl, `${proxyUrl}/`)
  assert.equal(loop.status, 400)
  assert.match(loop.text, /this proxy itself/)
})

test('a route that is not here yet is asked for, once it is needed', async (t) => {
  const server = await webServer(t, echoing)
  const at = await ownAddress(t)
  const names = [{ namespace: 'default', name: 'web', port: 80 }]
  const listeners = [buildOutbound(at)]
  const whole = buildConfig({
    listeners,
    names,
    clusters: [buildCluster('default/web/80', [server])],
    routes: [buildTable('default/web/80', 'default/web/80')],
  })
  const proxy = await startProxy(t, buildConfig({ listeners, names }), {
    demand: async (_, config) => {
      config.set(whole)
      return true
    },
  })
  assert.equal((await curl('-x', `http://127.0.0.1:${at.port}`, 'http://web/')).status, 200)
  assert.deepEqual(proxy.demanded, ['default/web/80'])
})

test('new configurations under load lose no call; removed listeners close', async (t) => {
  const one = await webServer(t, (_, response) => void response.end('one'))
  const two = await webServer(t, (_, response) => void response.end('two'))
  const at = await ownAddress(t)
  const listener = buildInbound(at, 'program', { mesh: false })
  const to = (address: Address): ProxyConfig =>
    buildConfig({ listeners: [listener], clusters: [buildCluster('program', [address])] })
  const { config } = await startProxy(t, to(one))
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 })
  t.after(() => agent.destroy())
  const get = (): Promise<string> =>
    new Promise((resolve, reject) => {
      http
        .get({ ...at, agent }, (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => (text += chunk.toString()))
          response.on('end', () => resolve(`${response.statusCode} ${text}`))
        })
        .on('error', reject)
    })
  const seen = new Set<string>()
  for (let round = 0; round < 20; round++) {
    const calls = Array.from({ length: 20 }, get)
    config.set(to(round % 2 === 0 ? two : one))
    for (const answer of await Promise.all(calls)) seen.add(answer)
  }
  assert.deepEqual([...seen].toSorted(), ['200 one', '200 two'])
  config.set(buildConfig({}))
  agent.destroy()
  await assert.rejects(
    async () => {
      for (;;) await get()
    },
    { code: 'ECONNREFUSED' },
  )
})

test('drain lets the call in flight end and refuses new connections', async (t) => {
  let release = (): void => {}
  const server = await webServer(t, (_, response) => {
    release = () => response.end('done')
  })
  const at = await ownAddress(t)
  const { proxy } = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(at, 'program', { mesh: false })],
      clusters: [buildCluster('program', [server])],
    }),
  )
  const waiting = curl(`http://127.0.0.1:${at.port}/`)
  const before = release
  await eventually(() => release !== before)
  const drained = proxy.drain(5000)
  await new Promise<void>((resolve) => setTimeout(resolve, 10))
  assert.notEqual((await curl(`http://127.0.0.1:${at.port}/`)).exit, 0)
  release()
  const { text } = await waiting
  assert.match(text, /connection: close[\s\S]*done$/)
  await drained
})

test('before its program stops, inbound calls are waited for, and whoever has not heard of it is served still', async (t) => {
  let release = (): void => {}
  const server = await webServer(t, (request, response) => {
    if (request.url === '/slow') release = () => response.end('done')
    else response.end('quick')
  })
  const at = await ownAddress(t)
  const { proxy } = await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(at, 'program', { mesh: false })],
      clusters: [buildCluster('program', [server])],
    }),
  )
  const waiting = curl(`http://127.0.0.1:${at.port}/slow`)
  const before = release
  await eventually(() => release !== before)
  let drained = false
  const draining = proxy.drainInbound().then(() => (drained = true))
  const { text } = await curl(`http://127.0.0.1:${at.port}/`)
  assert.match(text, /connection: close[\s\S]*quick$/)
  assert.equal(drained, false)
  release()
  assert.match((await waiting).text, /connection: close[\s\S]*done$/)
  await draining
  assert.match((await curl(`http://127.0.0.1:${at.port}/`)).text, /quick$/)
})

test('limits: past maxRequests the answer is overflow', async (t) => {
  const server = await webServer(t, () => {})
  const at = await ownAddress(t)
  const limits = {
    maxConnections: 10,
    maxPendingRequests: 10,
    maxRequests: 1,
    retryBudgetPercent: 20,
    minRetryConcurrency: 3,
  }
  await startProxy(
    t,
    buildConfig({
      listeners: [buildInbound(at, 'program', { mesh: false })],
      clusters: [buildCluster('program', [server], { limits })],
    }),
  )
  const first = net.connect(at.port, at.host)
  t.after(() => first.destroy())
  const seen = once(server.server, 'request')
  first.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  await seen
  const { status, text } = await curl(`http://127.0.0.1:${at.port}/`)
  assert.equal(status, 503)
  assert.match(text, /at its limit of 1 requests/)
})

test('a caller that leaves frees the connection to the program', async (t) => {
  let closed = false
  const server = await webServer(t, (request) => request.on('close', () => (closed = true)))
  const { proxyUrl } = await mesh(t, server)
  const socket = net.connect(Number(new URL(proxyUrl).port), '127.0.0.1')
  const seen = once(server.server, 'request')
  socket.write('GET http://web/ HTTP/1.1\r\nHost: web\r\n\r\n')
  await seen
  socket.destroy()
  await eventually(() => closed)
})
