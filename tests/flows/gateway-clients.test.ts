import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

// Certificates that clients of a Gateway show, as spec.tls.frontend asks for them.

test('a gateway asks clients for a certificate as it is said for the port', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const world = createWorld(t)
  const [ours, theirs] = ['ours', 'theirs'].map((name) => {
    const [key, pem] = [path.join(world.dir, `${name}.key`), path.join(world.dir, `${name}.pem`)]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
    const names = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:localhost`]
    const made = spawnSync('openssl', ['req', '-x509', ...curve, ...names, '-keyout', key, '-out', pem])
    assert.equal(made.status, 0, String(made.stderr))
    return { key, pem, text: (file: string) => JSON.stringify(fs.readFileSync(file, 'utf8')) }
  })
  assert.ok(ours && theirs)
  await world.up()
  const [valid, fallback] = [await freePort(), await freePort()]
  const mapped = ['--port-map', `443=${valid}`, '--port-map', `8443=${fallback}`]
  const [edge] = await Promise.all([world.gateway('edge', { args: mapped }), world.run('web')])
  const authorities = 'caCertificateRefs: [{kind: ConfigMap, group: "", name: ca}]'
  await world.apply(
    [
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ca}\ndata: {ca.crt: ${ours.text(ours.pem)}}`,
      `apiVersion: v1\nkind: Secret\nmetadata: {name: shop}\ntype: kubernetes.io/tls
stringData: {tls.crt: ${ours.text(ours.pem)}, tls.key: ${ours.text(ours.key)}}`,
      `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: weft
  tls:
    frontend:
      default: {validation: {${authorities}}}
      perPort: [{port: 8443, tls: {validation: {mode: AllowInsecureFallback, ${authorities}}}}]
  listeners:
    - {name: valid, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop}]}}
    - {name: fallback, port: 8443, protocol: HTTPS, tls: {certificateRefs: [{name: shop}]}}`,
      `apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 80}]}]}`,
    ].join('\n---\n'),
  )
  const show = ({ key, pem }: { key: string; pem: string }): readonly string[] => ['--cert', pem, '--key', key]
  const ask = async (port: number, args: readonly string[]): Promise<number> => {
    const to = ['--cacert', ours.pem, '--connect-to', `localhost:${port}:${edge.address}:${port}`]
    return (await world.curl(undefined, `https://localhost:${port}/`, { args: [...to, ...args] })).status
  }
  const to = ['--cacert', ours.pem, '--connect-to', `localhost:${valid}:${edge.address}:${valid}`, ...show(ours)]
  await world.curlUntil(undefined, `https://localhost:${valid}/`, 200, { args: to })
  assert.equal(await ask(valid, []), 0, 'the handshake fails')
  assert.equal(await ask(valid, show(theirs)), 0)
  assert.equal(await ask(fallback, show(ours)), 200)
  assert.equal(await ask(fallback, []), 200)
  assert.equal(await ask(fallback, show(theirs)), 200)
  const { out } = await world.weft(['describe', 'gateway', 'edge'])
  assert.match(out, /InsecureFrontendValidationMode/)
})
