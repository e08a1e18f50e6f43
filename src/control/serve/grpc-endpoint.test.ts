import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import tls from 'node:tls'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import {
  Client,
  credentials,
  status,
  type ChannelCredentials,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { settable } from '../../base/watchable.ts'
import { openCertificateAuthority, type CertificateAuthority } from '../../ca/authority.ts'
import { createKeyAndCsr } from '../../ca/csr.ts'
import {
  AgentService,
  JoinRequestSchema,
  JoinResponseSchema,
  SignResponseSchema,
  type JoinRequest,
  type JoinResponse,
} from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import { controlPlaneId } from '../../xds/names.ts'
import { startGrpcEndpoint, type GrpcEndpoint, type ServerCertificate } from './grpc-endpoint.ts'
import { hostedService, refuse } from './service.ts'

const names = { spiffeId: controlPlaneId('weft.local'), dnsNames: ['localhost'], ips: ['127.0.0.1'] }

async function authority(t: TestContext): Promise<CertificateAuthority> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-endpoint-'))
  t.after(() => fs.rmSync(dir, { recursive: true }))
  fs.mkdirSync(path.join(dir, 'ca'), { mode: 0o700 })
  const ca = await openCertificateAuthority({
    dir: path.join(dir, 'ca'),
    trustDomain: 'weft.local',
    clock: systemClock,
    leafTtlMs: 3_600_000,
    log: silentLog,
  })
  assert.ok(!('refused' in ca))
  return ca
}

/** Answers Join with who the caller is; refuses Sign; fails Session. */
const whoAmI = hostedService(AgentService, {
  async join({ service }, { spiffeId, local }) {
    if (service === 'bug') throw new Error('secret detail')
    return create(JoinResponseSchema, { spiffeId: spiffeId ?? 'nobody', nodeId: local ? 'local' : 'remote' })
  },
  sign: async () => ({ code: status.FAILED_PRECONDITION, details: 'no, for a reason' }),
  session: (call) => refuse(call, { code: status.UNAVAILABLE, details: 'gone' }),
})

interface World {
  readonly ca: CertificateAuthority
  readonly endpoint: GrpcEndpoint
  readonly port: number
  readonly unixPath: string
  readonly renew: () => Promise<void>
}

async function world(t: TestContext): Promise<World> {
  const ca = await authority(t)
  const serverCertificate = settable<ServerCertificate>(await ca.issueServer(names))
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-endpoint-'))
  const unixPath = path.join(folder, 'x.sock')
  const endpoint = await startGrpcEndpoint({
    address: { host: '127.0.0.1', port: 0 },
    unixPath,
    serverCertificate,
    clientTrustPem: ca.trustBundlePem,
    services: [whoAmI],
    log: silentLog,
  })
  t.after(async () => {
    await endpoint.close()
    fs.rmSync(folder, { recursive: true })
  })
  const { address } = endpoint
  assert.ok(address)
  return {
    ca,
    endpoint,
    port: address.port,
    unixPath,
    renew: async () => serverCertificate.set(await ca.issueServer(names)),
  }
}

async function workloadCredentials(ca: CertificateAuthority, trust: CertificateAuthority): Promise<ChannelCredentials> {
  const { keyPem, csrDer } = await createKeyAndCsr()
  const signed = await ca.signWorkload(csrDer, 'spiffe://weft.local/ns/default/sa/web')
  assert.ok(!('refused' in signed))
  return credentials.createSsl(
    Buffer.from(trust.trustBundlePem.value),
    Buffer.from(keyPem),
    Buffer.from(signed.chainPem),
  )
}

const client = (t: TestContext, target: string, channel: ChannelCredentials): Client => {
  const made = new Client(target, channel)
  t.after(() => made.close())
  return made
}
const join = (to: Client, service = ''): Promise<JoinResponse> =>
  new Promise((resolve, reject) => {
    to.makeUnaryRequest(
      '/weft.agent.v1.AgentService/Join',
      (request: JoinRequest) => Buffer.from(toBinary(JoinRequestSchema, request)),
      (bytes: Buffer) => fromBinary(JoinResponseSchema, bytes),
      create(JoinRequestSchema, { service }),
      (error, response) => (response === undefined ? reject(error ?? new Error('no response')) : resolve(response)),
    )
  })

test('a caller without a certificate is let in as nobody, one with a certificate as its identity', async (t) => {
  const { ca, port } = await world(t)
  const nobody = client(t, `localhost:${port}`, credentials.createSsl(Buffer.from(ca.trustBundlePem.value)))
  assert.equal((await join(nobody)).spiffeId, 'nobody')
  const workload = client(t, `localhost:${port}`, await workloadCredentials(ca, ca))
  const { spiffeId, nodeId } = await join(workload)
  assert.deepEqual([spiffeId, nodeId], ['spiffe://weft.local/ns/default/sa/web', 'remote'])
})

test('a certificate of another authority is refused, not taken for none', async (t) => {
  const { ca, port } = await world(t)
  const forged = await workloadCredentials(await authority(t), ca)
  await assert.rejects(join(client(t, `localhost:${port}`, forged)), { code: status.UNAVAILABLE })
})

test('the Unix socket is private and its callers are local', async (t) => {
  const { unixPath } = await world(t)
  assert.equal(fs.statSync(unixPath).mode & 0o777, 0o600)
  const { nodeId, spiffeId } = await join(client(t, `unix:${unixPath}`, credentials.createInsecure()))
  assert.deepEqual([nodeId, spiffeId], ['local', 'nobody'])
})

test('the chain ends with the root, whose hash a joiner knows; a renewed certificate serves the next connection only', async (t) => {
  const { ca, port, renew } = await world(t)
  const connect = async (): Promise<tls.TLSSocket> => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect')
    return socket
  }
  const first = await connect()
  assert.equal(first.alpnProtocol, 'h2')
  const root = first.getPeerX509Certificate()?.issuerCertificate
  assert.ok(root)
  assert.equal(`sha256:${createHash('sha256').update(root.raw).digest('hex')}`, ca.rootHash)
  const serial = (socket: tls.TLSSocket): string | undefined => socket.getPeerX509Certificate()?.serialNumber

  const open = client(t, `localhost:${port}`, credentials.createSsl(Buffer.from(ca.trustBundlePem.value)))
  await join(open)
  await renew()
  const second = await connect()
  assert.notEqual(serial(second), serial(first))
  assert.ok(new X509Certificate(root.raw).ca)
  assert.equal(first.destroyed, false)
  assert.equal((await join(open)).spiffeId, 'nobody', 'the open connection goes on')
})

test('a refusal carries its code and sentence; a bug carries neither its message nor its stack', async (t) => {
  const { unixPath } = await world(t)
  const to = client(t, `unix:${unixPath}`, credentials.createInsecure())
  const refused = await new Promise<ServiceError | null>((resolve) => {
    to.makeUnaryRequest(
      '/weft.agent.v1.AgentService/Sign',
      () => Buffer.alloc(0),
      (bytes: Buffer) => fromBinary(SignResponseSchema, bytes),
      {},
      (error) => resolve(error),
    )
  })
  assert.deepEqual([refused?.code, refused?.details], [status.FAILED_PRECONDITION, 'no, for a reason'])
  await assert.rejects(join(to, 'bug'), (error: ServiceError) => {
    assert.equal(error.code, status.INTERNAL)
    return !error.details.includes('secret')
  })
  const session = to.makeBidiStreamRequest(
    '/weft.agent.v1.AgentService/Session',
    () => Buffer.alloc(0),
    (bytes: Buffer) => bytes,
  )
  session.on('error', () => {})
  session.resume()
  const ended = await new Promise<StatusObject>((resolve) => session.on('status', resolve))
  assert.deepEqual([ended.code, ended.details], [status.UNAVAILABLE, 'gone'])
})

test('noise, half a handshake and a vanished client harm nobody', async (t) => {
  const { ca, port, unixPath } = await world(t)
  for (const bytes of ['GET / HTTP/1.1\r\n\r\n', '\x16\x03\x01\xff\xff', '']) {
    const socket = net.connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.end(bytes)
    socket.resume()
    await once(socket, 'close')
  }
  const noise = net.connect(unixPath)
  noise.on('error', () => {})
  noise.end('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff')
  noise.resume()
  await once(noise, 'close')
  const inTls = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  inTls.on('error', () => {})
  await once(inTls, 'secureConnect')
  inTls.resume()
  inTls.write('no HTTP/2 at all, but enough bytes to be sure of it')
  await once(inTls, 'close')
  const honest = client(t, `localhost:${port}`, credentials.createSsl(Buffer.from(ca.trustBundlePem.value)))
  assert.equal((await join(honest)).spiffeId, 'nobody')
})

test('an address in use rejects and leaves nothing behind', async (t) => {
  const { port, ca } = await world(t)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-endpoint-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const starting = startGrpcEndpoint({
    address: { host: '127.0.0.1', port },
    unixPath: path.join(folder, 'x.sock'),
    serverCertificate: settable<ServerCertificate>(await ca.issueServer(names)),
    clientTrustPem: ca.trustBundlePem,
    services: [],
    log: silentLog,
  })
  await assert.rejects(starting, { code: 'EADDRINUSE' })
  assert.deepEqual(fs.readdirSync(folder), [])
})
