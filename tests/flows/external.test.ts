import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { test } from 'node:test'
import { startChild, type Child } from '../world/child.ts'
import { canCapture, inside, machine, ourselves, type Who } from '../world/capturing.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Finished } from '../world/world.ts'

// Hosts outside of the mesh: registered, routed, refused.

const registeredOnly =
  'apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: {name: default}\nspec: {outboundTraffic: {mode: RegisteredOnly}}'

test('an ExternalService is called by its hosts, takes routes, and is all that is let out', async (t) => {
  if (!requires(t, 'curl', 'python3')) return
  const outsiders: Child[] = []
  t.after(() => outsiders.forEach((child) => child.killAll()))
  const world = createWorld(t)
  await world.up()
  const [outside, other] = [await freePort(), await freePort()]
  for (const port of [outside, other]) {
    const command = ['python3', '-m', 'http.server', String(port), '--bind', '127.0.0.1'] as const
    outsiders.push(startChild('outside', command, { env: world.env, cwd: world.dir }))
  }
  const web = await world.run('web')
  const client = await world.run('client', { port: 0 })
  await world.apply(`
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: payments}
spec:
  hosts: [api.pay.example, '*.pay.example']
  resolution: Static
  ports:
    - {port: 80, targetPort: ${outside}, protocol: http}
    - {port: 7000, targetPort: ${outside}, protocol: tcp}
  endpoints: [{address: 127.0.0.1}]
---
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: here}
spec: {hosts: [localhost], resolution: None, ports: [{port: ${other}, protocol: http}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: payments}
spec:
  parentRefs: [{group: weft.dev, kind: ExternalService, name: payments}]
  rules:
    - matches: [{path: {value: /mesh}}]
      backendRefs: [{name: web, port: 80}]
    - backendRefs: [{group: weft.dev, kind: ExternalService, name: payments, port: 80}]
---
${registeredOnly}`)
  assert.match((await world.curlUntil(client, 'http://api.pay.example/', 200)).headers['server']?.[0] ?? '', /Simple/)
  assert.equal((await world.curl(client, 'http://any.of.pay.example/')).status, 200)
  assert.equal((await world.curl(client, 'http://api.pay.example:7000/', { args: ['-p'] })).status, 200, 'raw bytes')
  const routed = await world.curl(client, 'http://api.pay.example/mesh')
  assert.equal((JSON.parse(routed.body) as { name: string }).name, web.service)
  assert.equal((await world.curl(client, `http://localhost:${other}/`)).status, 200, 'where it was going')

  const refused = await world.curlUntil(client, `http://127.0.0.1:${outside}/`, 502)
  assert.match(refused.body, /registered services only/)
  const tunnel = await world.curl(client, `http://127.0.0.1:${outside}/`, { args: ['-p'] })
  assert.match(tunnel.error, /502/)
  const metrics = await world.curl(undefined, `${client.adminUrl}/metrics`)
  const [, count] =
    /weft_refused_total\{listener="outbound\/explicit",reason="unknown-host"\} (\d+)/.exec(metrics.body) ?? []
  assert.ok(Number(count) >= 2, metrics.body)
  await until('a line names it and who asked', () =>
    client.child.err
      .split('\n')
      .some((line) =>
        line.includes(`destination=127.0.0.1:${outside} source=spiffe://weft.local/ns/default/sa/client`),
      ),
  )
  const explained = await world.weft(['explain', '--from', 'client', 'GET', 'http://api.pay.example/'])
  assert.match(explained.out, /HTTPRoute default\/payments/)
  assert.match(explained.out, new RegExp(`127\\.0\\.0\\.1:${outside}`))
  const listed = await world.weft(['get', 'externalservices'])
  assert.match(listed.out, /payments +api\.pay\.example,\*\.pay\.example +80,7000 +Static/)
})

test('captured programs reach external hosts by DNS, by Host and by the server name of TLS', async (t) => {
  if (!requires(t, 'root', 'openssl') || !canCapture(t, ourselves)) return
  const address = '192.0.2.20'
  const prefix = machine(t, address)
  const outsiders: Child[] = []
  t.after(() => outsiders.forEach((child) => child.killAll()))
  const world = createWorld(t)
  await world.up({ prefix })
  const who: Who = { ...ourselves, prefix }
  const beside = (name: string, ...command: string[]): void => {
    const [file, ...args] = [...prefix, ...command] as [string, ...string[]]
    outsiders.push(startChild(name, [file, ...args], { env: world.env, cwd: world.dir }))
  }
  const [key, certificate] = [path.join(world.dir, 'key.pem'), path.join(world.dir, 'certificate.pem')]
  const subject = ['-subj', '/CN=outside', '-addext', 'subjectAltName=DNS:a.far.example,DNS:other.example']
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])
  assert.equal(made.status, 0, String(made.stderr))
  beside('http', 'python3', '-m', 'http.server', '8000', '--bind', address)
  beside(
    'tls',
    'openssl',
    's_server',
    '-accept',
    `${address}:8443`,
    '-key',
    key,
    '-cert',
    certificate,
    '-www',
    '-quiet',
  )
  await world.apply(`
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: fixed}
spec:
  hosts: [fixed.example]
  resolution: Static
  ports: [{port: 80, targetPort: 8000, protocol: http}]
  endpoints: [{address: ${address}}]
---
${registeredOnly}`)
  await world.apply(`
apiVersion: weft.dev/v1alpha1
kind: ExternalService
metadata: {name: far}
spec:
  hosts: ['*.far.example']
  resolution: None
  ports: [{port: 8443, protocol: https}, {port: 8000, protocol: http}]`)
  const call = (...args: string[]): Promise<Finished> => inside(world, who, 'curl', '-sS', '--max-time', '10', ...args)
  const status = async (...args: string[]): Promise<string> =>
    (await call('-o', '/dev/null', '-w', '%{http_code}', ...args)).out
  const at = (host: string, port: number): readonly string[] => ['--resolve', `${host}:${port}:${address}`]
  await until('by the address that our DNS gives', async () => (await status('http://fixed.example/')) === '200')
  assert.equal(await status(...at('b.far.example', 8000), 'http://b.far.example:8000/'), '200', 'by its Host')
  const secure = (host: string): Promise<string> =>
    status(...at(host, 8443), '--cacert', certificate, `https://${host}:8443/`)
  assert.equal(await secure('a.far.example'), '200', 'by the server name')
  assert.equal(await secure('other.example'), '000', 'a name that nobody registered')
  assert.equal(await status(`http://${address}:8000/`), '502')
})
