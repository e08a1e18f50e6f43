import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { startChild, type Child } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

// Hosts outside of the mesh that are called through a gateway only: plain HTTP, TLS that the gateway speaks, and TLS of the program's own.

const programs = path.join(import.meta.dirname, '../world/programs')
const policy = (name: string, principals: string): string => `
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: out}}
  action: ALLOW
  rules: [{from: [{source: {principals: [${principals}]}}]}]`
const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: out}
spec: {gatewayClassName: weft, listeners: [{name: mesh, port: 15443, protocol: weft.dev/mesh}]}`

/** Two servers that know nothing of the mesh. */
async function outside(world: World, children: Child[]): Promise<Outside> {
  const [key, certificate] = [path.join(world.dir, 'key.pem'), path.join(world.dir, 'certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const subject = ['-subj', '/CN=outside', '-addext', 'subjectAltName=DNS:secure.example']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])
  assert.equal(made.status, 0, String(made.stderr))
  const [plainPort, tlsPort] = [await freePort(), await freePort()]
  const place = { env: world.env, cwd: world.dir }
  const report = path.join(world.dir, 'outside.json')
  const server = ['s_server', '-accept', `127.0.0.1:${tlsPort}`, '-key', key, '-cert', certificate, '-www', '-quiet']
  children.push(
    startChild('plain', [process.execPath, path.join(programs, 'echo.mjs'), 'plain', String(plainPort), report], place),
    startChild('secure', ['openssl', ...server], place),
  )
  await until('it runs', () => fs.existsSync(report))
  return { plainPort, tlsPort, certificate }
}

interface Outside {
  readonly plainPort: number
  readonly tlsPort: number
  readonly certificate: string
}

const hosts = ({ plainPort, tlsPort, certificate }: Outside): string => `
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: plain}
spec:
  hosts: [plain.example]
  resolution: Static
  endpoints: [{address: 127.0.0.1}]
  ports: [{port: 80, targetPort: ${plainPort}, protocol: http}]
  egressGateway: {name: out}
---
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: secure}
spec:
  hosts: [secure.example]
  resolution: DNS
  endpoints: [{address: localhost}]
  ports:
    - {name: http, port: 80, targetPort: ${tlsPort}, protocol: http, tls: {caCertificates: ${JSON.stringify(fs.readFileSync(certificate, 'utf8'))}}}
    - {name: own, port: 443, targetPort: ${tlsPort}, protocol: tls}
  egressGateway: {name: out}
---
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: anywhere}
spec:
  hosts: [localhost, '*.localhost']
  resolution: None
  ports: [{port: ${plainPort}, protocol: http}]
  egressGateway: {name: out}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: elsewhere}
spec:
  parentRefs: [{group: weft.dev, kind: ExternalService, name: anywhere}]
  rules:
    - matches: [{path: {value: /elsewhere}}]
      filters: [{type: URLRewrite, urlRewrite: {hostname: 127.0.0.1}}]
      backendRefs: [{group: weft.dev, kind: ExternalService, name: anywhere, port: ${plainPort}}]
    - backendRefs: [{group: weft.dev, kind: ExternalService, name: anywhere, port: ${plainPort}}]
---
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: default}
spec: {outboundTraffic: {mode: RegisteredOnly}, accessLog: {enabled: true}}`

test('hosts outside are called through a gateway, which knows the caller and decides; without it nobody is', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const outsiders: Child[] = []
  t.after(() => outsiders.forEach((child) => child.killAll()))
  const world = createWorld(t)
  await world.up()
  const there = await outside(world, outsiders)
  const port = await freePort()
  const { binary, skip } = realEnvoy()
  const beside = { port: 0, args: ['--proxy', 'envoy', '--envoy-path', binary] }
  const [out, client, other, ...envoys] = await Promise.all([
    world.gateway('out', { args: ['--port-map', `15443=${port}`] }),
    world.run('client', { port: 0 }),
    world.run('other', { port: 0 }),
    ...(skip === false ? [world.run('beside', beside)] : []),
  ])
  const allowed = ['client', 'beside'].map((name) => `weft.local/ns/default/sa/${name}`).join(', ')
  await world.apply([hosts(there), policy('callers', allowed)].join('\n---'))
  await until('nobody is there yet', async () => (await world.curl(client, 'http://plain.example/')).status === 503)
  const { out: described } = await world.weft(['describe', 'externalservice', 'plain'])
  assert.match(described, /spec\.egressGateway\.name: this mesh serves no Gateway default\/out/)

  await world.apply(gateway)
  const ownTls = (from: Workload) =>
    world.curl(from, 'https://secure.example/', { args: ['--cacert', there.certificate] })
  for (const caller of [client, ...envoys]) {
    const plain = await world.curlUntil(caller, 'http://plain.example/some', 200)
    const seen = JSON.parse(plain.body) as { name: string; path: string; headers: Record<string, string> }
    assert.deepEqual([seen.name, seen.path, seen.headers['host']], ['plain', '/some', 'plain.example'])
    const told = Object.keys(seen.headers).filter((name) => name.includes('client-cert') || name.startsWith('x-weft'))
    assert.deepEqual(told, [], 'nobody outside hears who calls')
    assert.match(
      (await world.curlUntil(caller, 'http://secure.example/', 200)).body,
      /TLSv1\.3/,
      'the gateway speaks TLS',
    )
    assert.match((await ownTls(caller)).body, /TLSv1\.3/, 'or passes it on')
    const named = await world.curlUntil(caller, `http://localhost:${there.plainPort}/named`, 200)
    assert.equal(
      (JSON.parse(named.body) as { headers: Record<string, string> }).headers['host'],
      `localhost:${there.plainPort}`,
    )
    const elsewhere = await world.curlUntil(caller, `http://localhost:${there.plainPort}/elsewhere`, 404)
    assert.doesNotMatch(elsewhere.body, /"path"/, 'the gateway brings nobody to a host that is not among the hosts')
  }
  assert.equal((await world.curl(other, 'http://plain.example/')).status, 403)
  assert.equal((await world.curl(other, 'http://secure.example/')).status, 403)
  assert.equal((await world.curl(other, `http://localhost:${there.plainPort}/`)).status, 403)
  assert.equal((await ownTls(other)).status, 0, 'its connection is closed')

  const { body: metrics } = await world.curl(undefined, `${out.adminUrl}/metrics`)
  for (const [source, status] of [
    ['client', 200],
    ['other', 403],
  ] as const)
    assert.match(metrics, new RegExp(`^weft_requests_total\\{[^}]*/sa/${source}"[^}]*status="?${status}`, 'm'))
  assert.match(out.child.out + out.child.err, /sa\/other/, 'the access log names it too')
  const explained = await world.weft(['explain', '--from', 'other', 'GET', 'http://plain.example/'])
  assert.match(explained.out, new RegExp(`${out.name}.*mTLS`), explained.err)
  assert.match(explained.out, /egressGateway.*ExternalService default\/plain/)
  assert.match(explained.out, /403/, 'what the gateway would say')

  out.child.signal('SIGKILL')
  await out.child.ended
  for (const caller of [client, ...envoys]) {
    await world.curlUntil(caller, 'http://plain.example/', 503)
    assert.equal((await world.curl(caller, 'http://secure.example/')).status, 503)
    assert.equal((await ownTls(caller)).status, 0)
  }
})
