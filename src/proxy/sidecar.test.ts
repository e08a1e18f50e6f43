import grpc from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Cluster_DiscoveryType, ClusterSchema } from '../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import { controlPlaneId } from '../xds/names.ts'
import { testAuthority, type TestAuthority } from '../xds/testing/certificates.ts'
import type { FromSidecar, IdentityMaterial, ToSidecar } from './sidecar-messages.ts'
import { resource, testAdsServer, type TestAdsServer } from './xds/testing/ads-server.ts'
import { listener, loopback, service } from './xds/testing/resources.ts'

const spiffeId = 'spiffe://test.local/ns/default/sa/web'

/** A sidecar process, as its agent sees it. */
interface Running {
  readonly child: ChildProcess
  readonly output: () => string
  /** Resolves when the process has it; a socket is ours no more then, so that two do not accept on it. */
  tell(message: ToSidecar, handle?: net.Server): Promise<void>
  heard(kind: FromSidecar['kind']): Promise<FromSidecar>
  ask(what: 'config' | 'clusters' | 'stats' | 'certs'): Promise<unknown>
  readonly exited: Promise<number | null>
}

function startProcess(t: TestContext): Running {
  const child = fork(fileURLToPath(new URL('sidecar.ts', import.meta.url)), [], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const exited = once(child, 'exit').then(([status]) => status as number | null)
  t.after(() => child.kill('SIGKILL'))
  const messages: FromSidecar[] = []
  let arrived = (): void => {}
  child.on('message', (message) => {
    messages.push(message as FromSidecar)
    arrived()
  })
  const heard = async (kind: FromSidecar['kind']): Promise<FromSidecar> => {
    for (;;) {
      const found = messages.findIndex((one) => one.kind === kind)
      if (found >= 0) return messages.splice(found, 1)[0] as FromSidecar
      const more = new Promise<void>((resolve) => (arrived = resolve))
      await Promise.race([more, exited.then((status) => Promise.reject(new Error(`exit ${status}: ${output}`)))])
    }
  }
  return {
    child,
    output: () => output,
    tell: (message, handle) =>
      new Promise((resolve) => {
        child.send(message, handle, () => (handle === undefined ? resolve() : handle.close(() => resolve())))
      }),
    heard,
    async ask(what) {
      child.send({ kind: 'ask', id: 7, what })
      const answer = await heard('answer')
      return answer.kind === 'answer' ? answer.json : undefined
    },
    exited,
  }
}

const freeServer = async (t: TestContext, server: net.Server): Promise<number> => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close(() => {}))
  return (server.address() as AddressInfo).port
}

async function controlPlane(t: TestContext, authority: TestAuthority): Promise<TestAdsServer> {
  const { keyPem, chainPem } = await authority.issue(controlPlaneId('test.local'))
  const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) }
  return testAdsServer(t, grpc.ServerCredentials.createSsl(Buffer.from(authority.caPem), [pair], true))
}

const identityFrom = async (authority: TestAuthority): Promise<IdentityMaterial> => ({
  spiffeId,
  ...(await authority.issue(spiffeId)),
  trustBundlePem: authority.caPem,
  notAfterMs: Date.now() + 3_600_000,
})

const get = (port: number, path: string): Promise<string> =>
  new Promise((resolve, reject) => {
    http
      .get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = ''
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.on('end', () => resolve(`${response.statusCode} ${body}`))
      })
      .on('error', reject)
  })

test('a sidecar takes sockets and identity, serves, answers, renews, drains and exits 0', async (t) => {
  const authority = await testAuthority()
  const server = await controlPlane(t, authority)
  const program = http.createServer((_, response) => response.end('the program'))
  const programPort = await freeServer(t, program)
  const traffic = net.createServer()
  const port = await freeServer(t, traffic)
  const admin = net.createServer()
  const adminPort = await freeServer(t, admin)
  server.serve({
    LDS: [listener('inbound/web', { cluster: 'program' }, { address: loopback(port) })],
    NDS: [service('default', 'web', { 80: 'http' })],
    CDS: [
      resource('program', ClusterSchema, {
        name: 'program',
        clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
        loadAssignment: {
          clusterName: 'program',
          endpoints: [
            { lbEndpoints: [{ hostIdentifier: { case: 'endpoint', value: { address: loopback(programPort) } } }] },
          ],
        },
      }),
    ],
  })

  const sidecar = startProcess(t)
  await sidecar.tell({ kind: 'listener', address: { host: '127.0.0.1', port } }, traffic)
  await sidecar.tell({ kind: 'listener', address: { host: '127.0.0.1', port: adminPort } }, admin)
  // Before there is any configuration: answered when there is one.
  const early = get(port, '/early')
  const identity = await identityFrom(authority)
  await sidecar.tell({
    kind: 'start',
    nodeId: 'default/web-1',
    xdsAddress: `127.0.0.1:${server.port}`,
    identity,
    workload: 'web-1',
    namespace: 'default',
    service: 'web',
    adminAddress: { host: '127.0.0.1', port: adminPort },
    logLevel: 'info',
  })
  await sidecar.heard('ready')
  assert.equal(await early, '200 the program')
  assert.equal(await get(port, '/'), '200 the program')
  assert.match(await get(adminPort, '/ready'), /^200 /)

  const { config } = (await sidecar.ask('config')) as {
    config: { listeners: Record<string, unknown>; clusters: object }
  }
  assert.deepEqual(Object.keys(config.listeners), ['inbound/web'])
  const certs = JSON.stringify(await sidecar.ask('certs'))
  assert.match(certs, /spiffe:\/\/test\.local\/ns\/default\/sa\/web/)
  assert.doesNotMatch(certs, /PRIVATE/)
  assert.match(JSON.stringify(await sidecar.ask('clusters')), /program/)
  assert.equal(typeof (await sidecar.ask('stats')), 'string')

  await sidecar.tell({ kind: 'identity', identity: await identityFrom(authority) })
  // Away, and nothing is lost.
  server.drop()
  assert.equal(await get(port, '/'), '200 the program')
  await sidecar.tell({ kind: 'drain', deadlineMs: 2_000 })
  assert.equal(await sidecar.exited, 0, sidecar.output())
})

test('a listener that is removed and comes back is served on the same socket', async (t) => {
  const authority = await testAuthority()
  const server = await controlPlane(t, authority)
  const traffic = net.createServer()
  const port = await freeServer(t, traffic)
  const one = listener('inbound/web', { cluster: 'nothing' }, { address: loopback(port) })
  server.serve({ LDS: [one], NDS: [] })
  const sidecar = startProcess(t)
  await sidecar.tell({ kind: 'listener', address: { host: '127.0.0.1', port } }, traffic)
  await sidecar.tell({
    kind: 'start',
    nodeId: 'default/web-1',
    xdsAddress: `127.0.0.1:${server.port}`,
    identity: await identityFrom(authority),
    workload: 'web-1',
    namespace: 'default',
    service: 'web',
    logLevel: 'error',
  })
  await sidecar.heard('ready')
  assert.match(await get(port, '/'), /^50[03] /)
  await server.answer(server.send('LDS', [], ['inbound/web']))
  await assert.rejects(get(port, '/'))
  await server.answer(server.send('LDS', [one]))
  assert.match(await get(port, '/'), /^50[03] /)
  // The agent is gone.
  sidecar.child.disconnect()
  assert.equal(await sidecar.exited, 0, sidecar.output())
})

test('a start that makes no sense is said in a sentence', async (t) => {
  const sidecar = startProcess(t)
  await sidecar.tell({
    kind: 'start',
    nodeId: 'x',
    xdsAddress: 'nowhere',
    identity: { spiffeId, keyPem: '', chainPem: '', trustBundlePem: '', notAfterMs: 0 },
    workload: 'web-1',
    namespace: 'default',
    service: 'web',
    logLevel: 'info',
  })
  const failed = await sidecar.heard('failed')
  assert.match(failed.kind === 'failed' ? failed.sentence : '', /"nowhere" is no address/)
  assert.equal(await sidecar.exited, 1)
})
