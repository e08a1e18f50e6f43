import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { test } from 'node:test'
import { startChild } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

// Programs that speak TLS themselves, one without a sidecar and one behind its own, as BackendTLSPolicies say.

test('callers speak TLS to a program and believe it by its policy alone, and never say anything in plain text', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const strangers: (() => unknown)[] = []
  // Before the world looks whether anything was left running.
  t.after(() => strangers.forEach((end) => end()))
  const world = createWorld(t)
  const [key, certificate] = [path.join(world.dir, 'key.pem'), path.join(world.dir, 'certificate.pem')]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const subject = ['-subj', '/CN=pay', '-addext', 'subjectAltName=DNS:pay.example,URI:spiffe://pay.example/pay']
  const made = spawnSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate])
  assert.equal(made.status, 0, String(made.stderr))
  await world.up()
  const shown = ['-key', key, '-cert', certificate, '-www', '-quiet']
  const server = (port: number): readonly [string, ...string[]] => [
    'openssl',
    's_server',
    '-accept',
    `127.0.0.1:${port}`,
    ...shown,
  ]
  const port = await freePort()
  const alone = startChild('alone', server(port), { env: world.env, cwd: world.dir })
  strangers.push(() => alone.killAll())
  const inMesh = await freePort()
  await world.run('behind', {
    port: 0,
    args: ['--port', `https:8443=${inMesh}/tcp`],
    command: (report) => [
      'sh',
      '-c',
      `echo "{\\"pid\\":$$,\\"env\\":{}}" > ${report}.new && mv ${report}.new ${report} && exec ${server(inMesh).join(' ')}`,
    ],
  })
  const heard: number[] = []
  const recorder = net.createServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', (bytes) => void (heard.push(Buffer.from(bytes)[0] ?? -1), socket.destroy()))
  })
  await new Promise<void>((resolve) => recorder.listen(0, '127.0.0.1', resolve))
  strangers.push(() => recorder.close())
  const { port: recording } = recorder.address() as net.AddressInfo

  const workload = (name: string, at: number): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${name}}, ports: [{name: https, port: 443, targetPort: ${at}}]}
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: {name: ${name}-1, labels: {app: ${name}}}
spec: {service: ${name}, address: 127.0.0.1, ports: [{name: https, targetPort: ${at}, protocol: tcp}]}`
  const policy = (
    name: string,
    hostname: string,
    more = 'caCertificateRefs: [{kind: ConfigMap, name: ca}]',
  ): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: ${name}}
spec:
  targetRefs: [{kind: Service, name: ${name}}]
  validation: {hostname: ${hostname}, ${more}}`
  const authorities = JSON.stringify(fs.readFileSync(certificate, 'utf8'))
  await world.apply(
    [
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata: {ca.crt: ${authorities}}`,
      workload('pay', port),
      policy('pay', 'pay.example'),
      workload('silent', recording),
      policy('silent', 'pay.example', 'caCertificateRefs: [{kind: ConfigMap, name: nowhere}]'),
      'apiVersion: v1\nkind: Service\nmetadata: {name: behind}\nspec: {ports: [{name: https, port: 443, targetPort: 8443}]}',
      policy('behind', 'pay.example', 'wellKnownCACertificates: System'),
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {gatewayClassName: weft, listeners: [{name: http, port: 80, protocol: HTTP}]}`,
      `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: pay}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: pay, port: 443}]}]}`,
    ].join('\n---\n'),
  )
  const client = await world.run('client', { port: 0 })
  const edge = await world.gateway('edge')

  await t.test('a sidecar and a gateway speak it where the policy says so', async () => {
    assert.match((await world.curlUntil(client, 'http://pay:443/', 200)).body, /TLSv1\.3/)
    assert.match((await world.curlUntil(undefined, `http://${edge.address}/`, 200)).body, /TLSv1\.3/)
    const explained = await world.weft(['explain', '--from', 'client', 'GET', 'http://pay:443/'])
    assert.match(explained.out, new RegExp(`127\\.0\\.0\\.1:${port} .*, TLS`))
    assert.match(explained.out, /BackendTLSPolicy default\/pay/)
    assert.match((await world.weft(['describe', 'svc', 'pay'])).out, /BackendTLSPolicy default\/pay/)
  })

  await t.test('through the sidecar of the program too; its authorities are not those of this machine', async () => {
    // As long as the program is not ready there is another reason for 503.
    await until('its certificate is refused', async () =>
      /self.signed/.test((await world.curlUntil(client, 'http://behind:443/', 503)).body),
    )
    await world.apply(policy('behind', 'pay.example'))
    assert.match((await world.curlUntil(client, 'http://behind:443/', 200)).body, /TLSv1\.3/)
  })

  await t.test('another name than the certificate has is refused, one of several is enough', async () => {
    await world.apply(policy('pay', 'other.example'))
    const wrong = await world.curlUntil(client, 'http://pay:443/', 503)
    assert.match(wrong.body, /its certificate is for .*pay\.example/)
    const uri = "subjectAltNames: [{type: URI, uri: 'spiffe://pay.example/pay'}, {type: Hostname, hostname: a.b}]"
    await world.apply(policy('pay', 'other.example', `caCertificateRefs: [{kind: ConfigMap, name: ca}], ${uri}`))
    await world.curlUntil(client, 'http://pay:443/', 200)
  })

  await t.test('without authorities nobody is believed, and nothing is said in plain text', async () => {
    const refused = await world.curl(client, 'http://silent:443/', { args: ['-d', 'a secret'] })
    assert.equal(refused.status, 503)
    assert.ok(heard.length > 0 && heard.every((first) => first === 0x16), `a TLS record first: ${heard.join()}`)
    const { out } = await world.weft(['describe', 'backendtlspolicy', 'silent'])
    assert.match(out, /NoValidCACertificate/)
    assert.match(out, /there is no ConfigMap default\/nowhere/)
  })
})
