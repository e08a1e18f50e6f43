import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import grpc from '@grpc/grpc-js'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs/promises'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../base/clock.ts'
import { silentLog } from '../base/log.ts'
import { manualClock } from '../base/testing/manual-clock.ts'
import {
  AgentMessageSchema,
  AgentService,
  ControlMessageSchema,
  JoinRequestSchema,
  JoinResponseSchema,
  type ControlMessage,
  type JoinRequest,
  type JoinResponse,
} from './gen/weft/agent/v1/agent_pb.ts'
import { connectGrpc, grpcMethod, type GrpcConnection, type GrpcStatus, type GrpcTarget } from './grpc-client.ts'
import { controlPlaneId } from './names.ts'
import { testAuthority } from './testing/certificates.ts'

const join = grpcMethod(AgentService.method.join)
const session = grpcMethod(AgentService.method.session)
const parts = { clock: systemClock, log: silentLog }
const serverId = controlPlaneId('test.local')

type Join = grpc.handleUnaryCall<JoinRequest, JoinResponse>
const echo: Join = (call, callback) =>
  callback(
    null,
    create(JoinResponseSchema, { workload: call.request.service, nodeId: String(call.metadata.get('who')[0]) }),
  )

const definition = {
  join: {
    path: '/weft.agent.v1.AgentService/Join',
    requestStream: false,
    responseStream: false,
    requestSerialize: (m: JoinRequest) => Buffer.from(toBinary(JoinRequestSchema, m)),
    requestDeserialize: (b: Buffer) => fromBinary(JoinRequestSchema, b),
    responseSerialize: (m: JoinResponse) => Buffer.from(toBinary(JoinResponseSchema, m)),
    responseDeserialize: (b: Buffer) => fromBinary(JoinResponseSchema, b),
  },
  session: {
    path: '/weft.agent.v1.AgentService/Session',
    requestStream: true,
    responseStream: true,
    requestSerialize: (m: ReturnType<typeof message>) => Buffer.from(toBinary(AgentMessageSchema, m)),
    requestDeserialize: (b: Buffer) => fromBinary(AgentMessageSchema, b),
    responseSerialize: (m: ControlMessage) => Buffer.from(toBinary(ControlMessageSchema, m)),
    responseDeserialize: (b: Buffer) => fromBinary(ControlMessageSchema, b),
  },
}
const message = (id: bigint) => create(AgentMessageSchema, { message: { case: 'answer', value: { id } } })

/** A real server, on a Unix socket unless credentials say otherwise. */
async function serve(
  t: TestContext,
  { onJoin = echo, credentials }: { onJoin?: Join; credentials?: grpc.ServerCredentials } = {},
): Promise<{ target: { unix: string }; port: number; server: grpc.Server }> {
  const server = new grpc.Server({ 'grpc.max_receive_message_length': 32 << 20 })
  server.addService(definition, {
    join: onJoin,
    session(call: grpc.ServerDuplexStream<ReturnType<typeof message>, ControlMessage>) {
      call.on('data', (one: ReturnType<typeof message>) => {
        const id = one.message.case === 'answer' ? one.message.value.id : 0n
        if (id === 99n) return void call.emit('error', { code: 9, details: 'enough: ü' })
        call.write(create(ControlMessageSchema, { message: { case: 'request', value: { id: id + 1n } } }))
      })
      call.on('end', () => call.end())
      call.on('error', () => {})
    },
  })
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weft-grpc-'))
  const unix = path.join(folder, 's')
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      credentials === undefined ? `unix:${unix}` : '127.0.0.1:0',
      credentials ?? grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error ? reject(error) : resolve(bound)),
    ),
  )
  t.after(async () => {
    server.forceShutdown()
    await fs.rm(folder, { recursive: true, force: true })
  })
  return { target: { unix }, port, server }
}

function connect(t: TestContext, target: GrpcTarget): GrpcConnection {
  const connection = connectGrpc(target, parts)
  t.after(() => connection.close())
  return connection
}

test('unary: message, metadata and answer', async (t) => {
  const { target } = await serve(t)
  const answer = await connect(t, target).unary(join, create(JoinRequestSchema, { service: 'web' }), {
    metadata: { who: 'me' },
  })
  assert.ok('ok' in answer, JSON.stringify(answer))
  assert.deepEqual([answer.ok.workload, answer.ok.nodeId], ['web', 'me'])
})

test('unary: a status comes with its text', async (t) => {
  const { target } = await serve(t, {
    onJoin: (_, callback) => callback({ code: 7, details: 'the token is used up: 100 %' }),
  })
  const answer = await connect(t, target).unary(join, create(JoinRequestSchema))
  assert.deepEqual(answer, { error: { code: 7, message: 'the token is used up: 100 %' } })
})

test('unary: a deadline ends the call, not the connection', async (t) => {
  let calls = 0
  const { target } = await serve(t, { onJoin: (call, callback) => (++calls === 1 ? undefined : echo(call, callback)) })
  const connection = connect(t, target)
  const late = await connection.unary(join, create(JoinRequestSchema), { timeoutMs: 50 })
  assert.ok('error' in late && late.error.code === 4)
  assert.ok('ok' in (await connection.unary(join, create(JoinRequestSchema))))
})

test('messages of 8 MiB pass, those over 16 MiB are refused', async (t) => {
  let size = 8 << 20
  const { target } = await serve(t, {
    onJoin: (_, callback) => callback(null, create(JoinResponseSchema, { workload: 'x'.repeat(size) })),
  })
  const connection = connect(t, target)
  const big = await connection.unary(join, create(JoinRequestSchema, { service: 'y'.repeat(size / 2) }))
  assert.ok('ok' in big && big.ok.workload.length === size)
  size = 17 << 20
  const huge = await connection.unary(join, create(JoinRequestSchema))
  assert.ok('error' in huge && huge.error.code === 8, JSON.stringify(huge))
})

test('bidi: messages go to and fro, the end is said once after the last of them', async (t) => {
  const { target } = await serve(t)
  const got: bigint[] = []
  const ends: GrpcStatus[] = []
  const over = Promise.withResolvers<void>()
  const call = connect(t, target).stream(session, {
    message(one) {
      if (one.message.case === 'request') got.push(one.message.value.id)
      if (got.length === 3) call.end()
    },
    end(status) {
      ends.push(status)
      over.resolve()
    },
  })
  for (const id of [1n, 2n, 3n]) call.send(message(id))
  await over.promise
  assert.deepEqual(got, [2n, 3n, 4n])
  assert.deepEqual(
    ends.map(({ code }) => code),
    [0],
  )
  assert.equal(call.send(message(4n)), false)
})

test('bidi: a failing server, a cancelling client', async (t) => {
  const { target } = await serve(t)
  const connection = connect(t, target)
  const ended = (first: bigint, then: (call: { cancel(): void }) => void): Promise<GrpcStatus> =>
    new Promise((resolve) => {
      const call = connection.stream(session, { message: () => then(call), end: resolve })
      call.send(message(first))
    })
  assert.deepEqual(await ended(99n, () => {}), { code: 9, message: 'enough: ü' })
  assert.equal((await ended(1n, (call) => call.cancel())).code, 1)
})

test('mTLS: bundle and identity must both fit', async (t) => {
  const authority = await testAuthority()
  const { keyPem, chainPem } = await authority.issue(serverId)
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(authority.caPem),
    [{ private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) }],
    true,
  )
  const { port } = await serve(t, { credentials })
  const identity = await authority.issue('spiffe://test.local/ns/default/sa/web')
  const address = { host: '127.0.0.1', port }
  const ask = (tls: Extract<GrpcTarget, { address: unknown }>['tls']) =>
    connect(t, { address, tls }).unary(join, create(JoinRequestSchema, { service: 'web' }))

  assert.ok('ok' in (await ask({ trust: { caPem: authority.caPem, serverId }, identity })))
  const wrong = await ask({ trust: { caPem: authority.caPem, serverId: controlPlaneId('other') }, identity })
  assert.match('error' in wrong ? wrong.error.message : '', /the server is spiffe:.*expected/)
  const stranger = await ask({ trust: { caPem: (await testAuthority()).caPem, serverId }, identity })
  assert.match('error' in stranger ? stranger.error.message : '', /certificate/)
  const nobody = await ask({ trust: { caPem: authority.caPem, serverId } })
  assert.ok('error' in nobody && nobody.error.code === 14)
})

test('a root hash is enough to join: chain, dates and the control plane itself', async (t) => {
  const authority = await testAuthority()
  const other = await testAuthority()
  const ask = async (uri: string, rootHash: string, notAfter?: Date): Promise<string> => {
    const { keyPem, chainPem } = await authority.issue(uri, notAfter === undefined ? {} : { notAfter })
    const pair = { private_key: Buffer.from(keyPem), cert_chain: Buffer.from(chainPem) }
    const { port } = await serve(t, { credentials: grpc.ServerCredentials.createSsl(null, [pair]) })
    const connection = connect(t, { address: { host: '127.0.0.1', port }, tls: { trust: { rootHash } } })
    const answer = await connection.unary(join, create(JoinRequestSchema, { service: 'web' }))
    return 'ok' in answer ? 'ok' : answer.error.message
  }
  assert.equal(await ask(serverId, authority.rootHash), 'ok')
  assert.match(await ask(serverId, other.rootHash), /does not have the root certificate/)
  assert.match(await ask('spiffe://test.local/ns/default/sa/web', authority.rootHash), /not a control plane/)
  assert.match(await ask(serverId, authority.rootHash, new Date(Date.now() - 1000)), /not in date/)
})

test('nobody there, and a server that leaves', async (t) => {
  const nowhere = connect(t, { unix: '/nonexistent/weft' })
  const refused = await nowhere.unary(join, create(JoinRequestSchema))
  assert.ok('error' in refused && refused.error.code === 14)
  assert.match(await nowhere.closed, /ENOENT/)

  const { target, server } = await serve(t)
  const connection = connect(t, target)
  assert.ok('ok' in (await connection.unary(join, create(JoinRequestSchema))))
  const ended = new Promise<GrpcStatus>((resolve) => {
    const call = connection.stream(session, { message: () => server.forceShutdown(), end: resolve })
    call.send(message(1n))
  })
  assert.equal((await ended).code, 14)
  await connection.closed
  assert.ok('error' in (await connection.unary(join, create(JoinRequestSchema))))
})

test('a peer that falls silent is noticed by its missing PING answer', async (t) => {
  const { target } = await serve(t)
  // A relay that can be cut without closing, as a dead machine does.
  let cut = false
  const sockets: net.Socket[] = []
  const relay = net.createServer((from) => {
    const to = net.connect({ path: target.unix })
    sockets.push(from, to)
    from.on('error', () => {}).on('data', (bytes) => cut || to.write(bytes))
    to.on('error', () => {}).on('data', (bytes) => cut || from.write(bytes))
  })
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weft-relay-'))
  relay.listen(path.join(folder, 'r'))
  await once(relay, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    relay.close()
    await fs.rm(folder, { recursive: true, force: true })
  })
  const clock = manualClock()
  const connection = connectGrpc({ unix: path.join(folder, 'r') }, { clock, log: silentLog })
  t.after(() => connection.close())
  assert.ok('ok' in (await connection.unary(join, create(JoinRequestSchema))))
  cut = true
  clock.advance(5_000)
  clock.advance(3_000)
  assert.match(await connection.closed, /PING/)
  assert.equal(clock.pending, 0)
})

test('bytes that are no HTTP/2, and an answer that is no gRPC, end in a status', async (t) => {
  const folder = await fs.mkdtemp(path.join(os.tmpdir(), 'weft-junk-'))
  const junk = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
  })
  junk.listen(path.join(folder, 'j'))
  await once(junk, 'listening')
  t.after(async () => {
    junk.close()
    await fs.rm(folder, { recursive: true, force: true })
  })
  const answer = await connect(t, { unix: path.join(folder, 'j') }).unary(join, create(JoinRequestSchema))
  assert.ok('error' in answer)
})
