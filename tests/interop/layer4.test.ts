// One file for two proxies: what Envoy makes of raw bytes, TLS server names, PROXY headers and datagrams, we make of them too. Clients and
// servers are strangers to both.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { createTestAuthority, type TestAuthority } from '../../src/proxy/testing/certificates.ts'
import type { IdentityMaterial } from '../../src/proxy/sidecar-messages.ts'
import { runToEnd, startChild } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'

const root = path.join(import.meta.dirname, '../..')
const streams = path.join(root, 'tests/world/programs/streams.py')
const speaksFirst = path.join(root, 'tests/world/programs/speaks-first.py')
const env = { ...process.env } as Readonly<Record<string, string>>
const { binary } = realEnvoy()

describe('raw bytes and datagrams', { concurrency: 2 }, () => {
  const proxies: readonly (readonly [string, (file: string) => [string, ...string[]]])[] = [
    ['weft', (file) => [process.execPath, path.join(root, 'dist/weft.js'), 'proxy', '-c', file]],
    ['envoy', (file) => [binary, '--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'error', '-c', file]],
  ]
  for (const [name, command] of proxies)
    test(name, { skip: name === 'envoy' && binary === '' ? 'set ENVOY_BIN' : false }, async (t) => {
      if (!requires(t, 'python3', 'curl', 'openssl')) return
      const world = await start(t, command)
      await speak(world)
    })
})

interface World {
  readonly ports: Ports
  readonly ca: string
}
interface Ports {
  /** All goes to the server that speaks first. */
  readonly first: number
  /** TLS by server name: passed through, or ended here. */
  readonly tls: number
  /** Reads a PROXY header and writes one. */
  readonly proxied: number
  readonly udp: number
}

/** What every proxy must do; the expectations are Envoy's behaviour, shown by the second run. */
async function speak({ ports, ca }: World): Promise<void> {
  const python = async (...args: readonly string[]): Promise<string> => {
    const { status, out, err } = await runToEnd(['python3', streams, ...args], { env, cwd: root })
    return status === 0 ? out.trimEnd() : (err.trimEnd().split('\n').at(-1) ?? '')
  }
  const say = (port: number, text: string): Promise<string> => python('say', '127.0.0.1', String(port), text)

  assert.equal(await say(ports.first, 'hello'), '220 at your service\r\nhello', 'the server speaks first')

  const curl = async (host: string): Promise<string> => {
    const at = `https://${host}:${ports.tls}/`
    const to = ['--resolve', `${host}:${ports.tls}:127.0.0.1`, '--cacert', ca, '-m', '10']
    const { status, out } = await runToEnd(['curl', '-s', ...to, at], { env, cwd: root })
    return status === 0 ? out : `curl ${status}`
  }
  assert.equal(await curl('a.through.example'), 'web of a.through.example', 'passed through, the very name')
  assert.equal(await curl('b.through.example'), 'web of *.through.example', 'passed through, by wildcard')
  assert.match(await curl('elsewhere.test'), /^curl (35|56)$/, 'no chain: closed in the handshake')

  assert.equal(await curl('one.ended.example'), 'plain web', 'TLS ends here')
  for (const shown of ['one.ended.example', 'two.ended.example']) {
    const at = ['-connect', `127.0.0.1:${ports.tls}`, '-servername', shown, '-verify_hostname', shown]
    const command = ['openssl', 's_client', ...at, '-CAfile', ca, '-verify_return_error'] as const
    const { status, out } = await runToEnd([...command], { env, cwd: root })
    assert.equal(status, 0, out)
    assert.match(out, /Verify return code: 0 \(ok\)/, `the certificate of ${shown} is shown`)
  }

  const told = 'PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\\r\\n'
  const seen = await say(ports.proxied, `${told}hi`)
  assert.equal(seen, 'PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\nhi', 'who asks is told on, each end on its own')
  const version2 = String.raw`\x0d\x0a\x0d\x0a\x00\x0d\x0aQUIT\x0a\x21\x11\x00\x0c\xcb\x00\x71\x07\xc6\x33\x64\x01\x12\x67\x01\xbb`
  assert.equal(await say(ports.proxied, `${version2}hi`), seen)
  assert.match(await say(ports.proxied, 'no header'), /^$|ConnectionResetError/, 'without a header nothing is taken')

  assert.equal(
    await until('a datagram is answered', async () => {
      const answer = await python('ask', '127.0.0.1', String(ports.udp), 'datagram')
      return answer === 'DATAGRAM' && answer
    }),
    'DATAGRAM',
  )
}

async function start(t: TestContext, command: (file: string) => [string, ...string[]]): Promise<World> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-layer4-'))
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }))
  const authority = await createTestAuthority()
  const ca = path.join(dir, 'ca.pem')
  fs.writeFileSync(ca, authority.bundlePem)

  const [greets, echoes, datagrams] = [await freePort(), await freePort(), await freePort()]
  const child = (name: string, line: readonly [string, ...string[]]): ReturnType<typeof startChild> => {
    const started = startChild(name, line, { env, cwd: root })
    t.after(() => started.killAll())
    return started
  }
  child('speaks-first', ['python3', speaksFirst, String(greets)])
  await child('streams', ['python3', streams, 'serve-all', String(echoes), String(datagrams)]).said(/serving/)
  const webs = [await web(t, authority, 'a.through.example'), await web(t, authority, '*.through.example')] as const
  const certificates = await Promise.all(['one', 'two'].map((name) => authority.issue(`dns:${name}.ended.example`)))

  const ports: Ports = {
    first: await freePort(),
    tls: await freePort(),
    proxied: await freePort(),
    udp: await freePort(),
  }
  const file = path.join(dir, 'proxy.json')
  const plain = await listening(
    t,
    http.createServer((_request, response) => response.end('plain web')),
  )
  const servers = { greets, echoes, datagrams, plain, webs }
  fs.writeFileSync(file, JSON.stringify({ static_resources: resources(ports, servers, certificates) }))
  const proxy = child('the proxy', command(file))
  await until('the proxy greets', async () => {
    if (!proxy.isRunning) throw new Error(`${proxy.out}${proxy.err}`)
    const line = ['python3', streams, 'say', '127.0.0.1', String(ports.first), ''] as const
    return (await runToEnd([...line], { env, cwd: root })).out.startsWith('220')
  })
  return { ports, ca }
}

/** A web server of its own certificate. */
async function web(t: TestContext, authority: TestAuthority, name: string): Promise<number> {
  const { chainPem, keyPem } = await authority.issue(`dns:${name}`)
  const options = { cert: chainPem, key: keyPem }
  return listening(
    t,
    https.createServer(options, (_request, response) => response.end(`web of ${name}`)),
  )
}

async function listening(t: TestContext, server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

interface Servers {
  readonly greets: number
  readonly echoes: number
  readonly datagrams: number
  readonly plain: number
  readonly webs: readonly [number, number]
}

const types = 'type.googleapis.com/envoy.extensions.'
const address = (port: number, protocol = 'TCP'): object => ({
  socket_address: { address: '127.0.0.1', port_value: port, protocol },
})
const typed = (name: string, type: string, more: object = {}): object => ({
  name,
  typed_config: { '@type': `${types}${type}`, ...more },
})
const to = (cluster: string): object[] => [
  typed('tcp', 'filters.network.tcp_proxy.v3.TcpProxy', { stat_prefix: cluster, cluster }),
]
const inspector = typed('tls', 'filters.listener.tls_inspector.v3.TlsInspector')

function resources(ports: Ports, servers: Servers, certificates: readonly IdentityMaterial[]): object {
  const cluster = (name: string, port: number, protocol = 'TCP'): object => ({
    name,
    type: 'STATIC',
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port, protocol) } }] }],
    },
  })
  const ended = {
    common_tls_context: {
      tls_certificates: certificates.map(({ chainPem, keyPem }) => ({
        certificate_chain: { inline_string: chainPem },
        private_key: { inline_string: keyPem },
      })),
    },
  }
  const names = (...server_names: readonly string[]): object => ({ filter_chain_match: { server_names } })
  return {
    clusters: [
      cluster('greets', servers.greets),
      cluster('exact', servers.webs[0]),
      cluster('wild', servers.webs[1]),
      cluster('plain', servers.plain),
      {
        ...cluster('told', servers.echoes),
        transport_socket: typed('proxy', 'transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport', {
          config: { version: 'V1' },
          transport_socket: typed('raw', 'transport_sockets.raw_buffer.v3.RawBuffer'),
        }),
      },
      cluster('datagrams', servers.datagrams),
    ],
    listeners: [
      { name: 'first', address: address(ports.first), filter_chains: [{ filters: to('greets') }] },
      {
        name: 'tls',
        address: address(ports.tls),
        listener_filters: [inspector],
        filter_chains: [
          { name: 'wild', ...names('*.through.example'), filters: to('wild') },
          { name: 'exact', ...names('a.through.example'), filters: to('exact') },
          {
            name: 'ended',
            ...names('one.ended.example', 'two.ended.example'),
            transport_socket: typed('tls', 'transport_sockets.tls.v3.DownstreamTlsContext', ended),
            filters: to('plain'),
          },
        ],
      },
      {
        name: 'proxied',
        address: address(ports.proxied),
        listener_filters: [typed('proxy', 'filters.listener.proxy_protocol.v3.ProxyProtocol')],
        filter_chains: [{ filters: to('told') }],
      },
      {
        name: 'udp',
        address: address(ports.udp, 'UDP'),
        listener_filters: [
          typed('udp', 'filters.udp.udp_proxy.v3.UdpProxyConfig', {
            stat_prefix: 'udp',
            matcher: {
              on_no_match: {
                action: typed('route', 'filters.udp.udp_proxy.v3.Route', { cluster: 'datagrams' }),
              },
            },
          }),
        ],
      },
    ],
  }
}
