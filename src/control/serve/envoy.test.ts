import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { text } from 'node:stream/consumers'
import tls from 'node:tls'
import { realEnvoy } from '../../base/testing/real-envoy.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { settable } from '../../base/watchable.ts'
import { openCertificateAuthority } from '../../ca/authority.ts'
import { createKeyAndCsr } from '../../ca/csr.ts'
import { meshAlpn } from '../../xds/names.ts'
import { completeModel, type LooseModel } from '../render/testing/model-yaml.ts'
import { createAds, type Ads } from './ads.ts'
import { startGrpcEndpoint } from './grpc-endpoint.ts'
import { agentSecrets, startEnvoy } from './testing/live-envoy.ts'

const { binary: envoy, skip } = realEnvoy()

interface Identity {
  readonly keyPem: string
  readonly chainPem: string
}

test(
  'real Envoy is a data plane: mTLS in, policy, passthrough out, endpoints and their removal',
  { skip },
  async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-envoy-'))
    t.after(() => fs.rmSync(folder, { recursive: true }))
    const ca = await openCertificateAuthority({
      dir: path.join(folder, 'ca'),
      trustDomain: 'weft.local',
      clock: systemClock,
      leafTtlMs: 3_600_000,
      log: silentLog,
    })
    assert.ok(!('refused' in ca))
    const identity = async (name: string): Promise<Identity> => {
      const { keyPem, csrDer } = await createKeyAndCsr()
      const signed = await ca.signWorkload(csrDer, `spiffe://weft.local/ns/default/sa/${name}`)
      assert.ok(!('refused' in signed))
      return { keyPem, chainPem: signed.chainPem }
    }
    const program = http.createServer((request, response) => {
      response.end(JSON.stringify({ path: request.url, headers: request.headers }))
    })
    program.listen(0, '127.0.0.1')
    await once(program, 'listening')
    t.after(() => void program.close())
    const targetPort = (program.address() as net.AddressInfo).port
    const [inboundPort, outboundPort] = [await freePort(), await freePort()]
    const inbound = { host: '127.0.0.1', port: inboundPort }

    const mesh = (revision: number, ready: boolean): LooseModel => ({
      revision,
      services: [
        {
          name: 'web',
          ports: [
            {
              rules: [{ action: { kind: 'forward', backends: [{ service: 'default/web' }] } }],
              endpoints: ready ? [{ workload: 'default/web-1', address: inbound }] : [],
              identities: ['spiffe://weft.local/ns/default/sa/web'],
            },
          ],
        },
      ],
      workloads: [
        {
          name: 'web-1',
          outbound: { host: '127.0.0.1', port: outboundPort },
          inbound: [
            {
              address: inbound,
              targetPort,
              authorization: {
                deny: [{ name: 'no-admin', to: [{ paths: ['/admin*'] }] }],
                allow: [
                  { name: 'friends', from: [{ principals: ['weft.local/ns/default/sa/friend'] }] },
                  { name: 'open', to: [{ paths: ['/open'] }] },
                ],
              },
            },
          ],
        },
      ],
    })
    const model = settable(completeModel(mesh(1, true)))
    const ads = createAds({ model, trustBundlePem: ca.trustBundlePem, clock: systemClock, log: silentLog })
    const unixPath = path.join(folder, 'x.sock')
    const endpoint = await startGrpcEndpoint({
      unixPath,
      serverCertificate: settable({ keyPem: '', chainPem: '' }),
      clientTrustPem: ca.trustBundlePem,
      services: [ads.service, agentSecrets(await identity('web'))],
      log: silentLog,
    })
    t.after(async () => {
      ads.close()
      await endpoint.close()
    })
    const { admin } = await startEnvoy(t, { binary: envoy, folder, unixPath })
    await until(() => synced(ads, 'LDS', 2) && synced(ads, 'CDS', 3) && synced(ads, 'EDS', 1))
    const { proxy, types } = ads.proxies()[0] ?? { proxy: '', types: [] }
    assert.equal(proxy, 'default/web-1')
    assert.deepEqual(
      types.flatMap(({ type, rejected }) => rejected.map(({ reason }) => `${type}: ${reason}`)),
      [],
    )
    await until(async () => (await get({ port: inboundPort, path: '/open' })).status === 200)

    const plain = await get({ port: inboundPort, path: '/open', headers: { 'x-forwarded-client-cert': 'URI=a lie' } })
    assert.equal(plain.status, 200, 'PERMISSIVE takes plain text')
    assert.equal(JSON.parse(plain.body).headers['x-forwarded-client-cert'], undefined)
    assert.equal((await get({ port: inboundPort, path: '/closed' })).status, 403, 'no principal in plain text')

    const asFriend = await overMtls(inboundPort, await identity('friend'), ca.trustBundlePem.value, '/closed')
    assert.match(asFriend, /^HTTP\/1\.1 200 /)
    assert.match(asFriend, /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/friend/)
    const asFoe = await overMtls(inboundPort, await identity('foe'), ca.trustBundlePem.value, '/closed')
    assert.match(asFoe, /^HTTP\/1\.1 403 /)
    const toAdmin = await overMtls(inboundPort, await identity('friend'), ca.trustBundlePem.value, '/admin/x')
    assert.match(toAdmin, /^HTTP\/1\.1 403 /, 'DENY wins')

    const outside = await get({ port: outboundPort, path: `http://127.0.0.1:${targetPort}/outside` })
    assert.deepEqual([outside.status, JSON.parse(outside.body).path], [200, '/outside'])

    const endpoints = async (): Promise<string> => (await get({ port: admin, path: '/clusters' })).body
    assert.match(await endpoints(), new RegExp(`default/web/80::127\\.0\\.0\\.1:${inboundPort}::`))
    const removal = ads.removalAcked('default/web-1', 10_000)
    model.set(completeModel(mesh(2, false)))
    assert.deepEqual(await removal, { laggards: [] })
    await until(async () => !(await endpoints()).includes(`default/web/80::127.0.0.1:${inboundPort}::`))
  },
)

const synced = (ads: Ads, type: string, resources: number): boolean =>
  ads.proxies()[0]?.types.some((one) => one.type === type && one.synced && one.resources === resources) ?? false

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 20_000
  while (!(await done())) {
    assert.ok(performance.now() < endMs, `did not happen in 20 s: ${String(done)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A plain HTTP/1.1 call on loopback; status 0 when the connection fails. */
function get(options: http.RequestOptions): Promise<{ status: number; body: string }> {
  return new Promise((resolve) => {
    http
      .get({ host: '127.0.0.1', agent: false, ...options }, (response) => {
        void text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }))
      })
      .on('error', () => resolve({ status: 0, body: '' }))
  })
}

/** One call as a sidecar makes it; gives everything that came back. */
async function overMtls(port: number, { keyPem, chainPem }: Identity, trustPem: string, to: string): Promise<string> {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    key: keyPem,
    cert: chainPem,
    ca: trustPem,
    ALPNProtocols: [meshAlpn, 'http/1.1'],
    checkServerIdentity: (_host, { subjectaltname }) =>
      subjectaltname === 'URI:spiffe://weft.local/ns/default/sa/web' ? undefined : new Error(`is ${subjectaltname}`),
  })
  await once(socket, 'secureConnect')
  assert.equal(socket.alpnProtocol, 'http/1.1', 'the marker is never negotiated')
  socket.write(`GET ${to} HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n`)
  return text(socket)
}
