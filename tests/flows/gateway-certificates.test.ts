import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import tls from 'node:tls'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

/** A Secret with a new certificate for the host, and the serial number by which it is known. */
function secret(dir: string, name: string): { readonly yaml: string; readonly serial: string } {
  const [key, certificate] = [path.join(dir, `${name}.key`), path.join(dir, `${name}.pem`)]
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1']
  const subject = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:shop.example']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', certificate], {
    stdio: 'ignore',
  })
  const stringData = { 'tls.crt': fs.readFileSync(certificate, 'utf8'), 'tls.key': fs.readFileSync(key, 'utf8') }
  const metadata = { name: 'shop' }
  return {
    yaml: JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/tls', stringData }),
    serial: execFileSync('openssl', ['x509', '-in', certificate, '-noout', '-serial'], { encoding: 'utf8' })
      .trim()
      .replace('serial=', ''),
  }
}

/** The serial number of the certificate that new connections are shown. */
async function shown(host: string): Promise<string> {
  const socket = tls.connect({ host, port: 443, servername: 'shop.example', rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

test('a changed certificate holds at every instance of a gateway, and no request or connection is lost', async (t) => {
  if (!requires(t, 'curl', 'openssl')) return
  const world = createWorld(t)
  await world.up()
  const [one, other] = await Promise.all([world.gateway('edge'), world.gateway('edge'), world.run('web')])
  const first = secret(world.dir, 'first')
  await world.apply(`${first.yaml}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec: {gatewayClassName: weft, listeners: [{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: shop}]}}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: web, port: 80}]}]}
`)
  const insecure = ['-k', '--connect-to', `::${one.address}:443`]
  await world.curlUntil(undefined, 'https://shop.example/', 200, { args: insecure })
  assert.equal(await until('the other one too', () => shown(other.address).catch(() => undefined)), first.serial)
  // Lives through the change: an open connection has nothing to do with new handshakes.
  const slow = world.curl(undefined, 'https://shop.example/slow/3000', { args: insecure })
  let asking = true
  const failures: string[] = []
  const load = (async (): Promise<number> => {
    let answered = 0
    for (; asking; answered++) {
      // A handshake of its own each.
      const { status, error } = await world.curl(undefined, 'https://shop.example/', { args: insecure })
      if (status !== 200) failures.push(`${status} ${error}`)
    }
    return answered
  })()
  for (const name of ['second', 'third']) {
    const next = secret(world.dir, name)
    await world.apply(next.yaml)
    for (const { address } of [one, other])
      await until(`${address} shows the ${name}`, async () => (await shown(address)) === next.serial)
  }
  assert.equal((await slow).status, 200)
  asking = false
  assert.ok((await load) > 5)
  assert.deepEqual(failures, [])
})
