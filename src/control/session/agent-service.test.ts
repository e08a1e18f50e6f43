import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { clearField, clone, create, type MessageInitShape } from '@bufbuild/protobuf'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { createKeyAndCsr } from '../../ca/csr.ts'
import { parseJoinToken } from '../../ca/join-token.ts'
import { connectGrpc, grpcMethod, type GrpcConnection } from '../../xds/grpc-client.ts'
import type { GrpcTarget } from '../../xds/grpc-target.ts'
import {
  AgentMessageSchema,
  AgentService,
  JoinRequestSchema,
  PortSchema,
  SignRequestSchema,
  type AgentMessage,
  type ControlMessage,
  type JoinRequest,
  type JoinResponse,
} from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import { controlPlaneId } from '../../xds/names.ts'
import type { AgentSessions } from './agent-service.ts'
import { agentWorld, eventQueue } from './testing/agent-world.ts'
import { workloadName } from './workload-document.ts'

const { join, sign, session } = AgentService.method
type JoinInit = MessageInitShape<typeof JoinRequestSchema>
const parts = { clock: systemClock, log: silentLog }

function connect(t: TestContext, target: GrpcTarget): GrpcConnection {
  const connection = connectGrpc(target, parts)
  t.after(() => connection.close())
  return connection
}

async function request(over: JoinInit = {}): Promise<JoinRequest> {
  const key = await createKeyAndCsr()
  const port = {
    $typeName: 'weft.agent.v1.Port' as const,
    name: '',
    servicePort: 80,
    targetPort: 8080,
    protocol: 'http',
  }
  return create(JoinRequestSchema, {
    service: 'web',
    instance: 'instance-1',
    csr: key.csrDer,
    ports: [{ ...port, inboundHost: '127.0.0.1', inboundPort: 30001 }],
    outboundHost: '127.0.0.1',
    outboundPort: 30002,
    ...over,
  })
}

async function joined(connection: GrpcConnection, over: JoinInit = {}): Promise<JoinResponse> {
  const reply = await connection.unary(grpcMethod(join), await request(over))
  if ('error' in reply) throw new Error(reply.error.message)
  return reply.ok
}

function openSession(
  connection: GrpcConnection,
  { namespace, workload, sessionToken }: JoinResponse,
  instance = 'instance-1',
) {
  const heard = eventQueue<ControlMessage['message']>()
  const ended = Promise.withResolvers<number>()
  const call = connection.stream(grpcMethod(session), {
    message: ({ message }) => heard.push(message),
    end: ({ code }) => ended.resolve(code),
  })
  const send = (message: AgentMessage['message']): void => void call.send(create(AgentMessageSchema, { message }))
  send({ case: 'hello', value: { $typeName: 'weft.agent.v1.Hello', namespace, workload, instance, sessionToken } })
  const ready = (is: boolean): void =>
    send({ case: 'readiness', value: { $typeName: 'weft.agent.v1.Readiness', ready: is, reason: '' } })
  return { call, heard, ended: ended.promise, send, ready }
}

test('joining locally writes the workload and gives its identity; ready when it says so; gone when it says goodbye', async (t) => {
  const { local, store, changes } = await agentWorld(t)
  const connection = connect(t, local)
  const reply = await joined(connection, {
    labels: { version: 'v2' },
    adminAddress: '127.0.0.1:15000',
    locality: 'eu/eu-1',
  })
  assert.match(reply.workload, /^web-[a-z0-9]{5}$/)
  assert.equal(reply.spiffeId, 'spiffe://weft.local/ns/default/sa/web')
  assert.equal(reply.nodeId, `default/${reply.workload}`)
  const key = { kind: 'Workload', namespace: 'default', name: reply.workload }
  const document = await store.get(key)
  assert.deepEqual(document?.metadata.labels, { version: 'v2', app: 'web' })
  assert.deepEqual(document?.spec, {
    service: 'web',
    serviceAccount: 'web',
    address: '127.0.0.1',
    ports: [
      {
        name: 'http-80',
        servicePort: 80,
        targetPort: 8080,
        protocol: 'http',
        inbound: { address: '127.0.0.1', port: 30001 },
      },
    ],
    outbound: { address: '127.0.0.1', port: 30002 },
    locality: 'eu/eu-1',
  })
  const { heard, ready, call, ended } = openSession(connection, reply)
  const welcome = await heard.next()
  assert.ok(welcome.case === 'welcome' && welcome.value.leaseMs === 4000)
  ready(true)
  assert.equal(await changes.next(), `${reply.nodeId} not-ready`)
  assert.equal(await changes.next(), `${reply.nodeId} ready`)
  ready(false)
  assert.equal(await changes.next(), `${reply.nodeId} not-ready`)
  call.end()
  assert.equal(await ended, 0)
  assert.equal(await store.get(key), undefined)
  assert.equal(await changes.next(), `${reply.nodeId} gone`)
})

test('the same instance joins again as the same workload, another one as another', async (t) => {
  const { local, store } = await agentWorld(t)
  const connection = connect(t, local)
  const [first, again] = [await joined(connection), await joined(connection)]
  assert.equal(first.workload, again.workload)
  const other = await joined(connection, { instance: 'instance-2' })
  assert.notEqual(other.workload, first.workload)
  assert.equal((await store.list({ kind: 'Workload' })).items.length, 2)
})

test('a name that somebody has written down already is left to them', async (t) => {
  const { local, store } = await agentWorld(t)
  const name = workloadName('web', 'instance-1', 0)
  const spec = { service: 'web', address: '192.0.2.1', ports: [{ targetPort: 80 }] }
  const theirs = { apiVersion: 'weft.dev/v1alpha1', kind: 'Workload', metadata: { name, namespace: 'default' }, spec }
  assert.equal((await store.write([{ put: theirs }])).kind, 'done')
  const reply = await joined(connect(t, local))
  assert.equal(reply.workload, workloadName('web', 'instance-1', 1))
  const kept = await store.get({ kind: 'Workload', namespace: 'default', name })
  assert.deepEqual(kept?.spec, spec)
})

test('a joiner that never opens its session leaves after a lease', async (t) => {
  const { local, changes } = await agentWorld(t, { leaseMs: 100 })
  const reply = await joined(connect(t, local))
  assert.equal(await changes.next(), `${reply.nodeId} not-ready`)
  assert.equal(await changes.next(), `${reply.nodeId} gone`)
})

test('an agent that dies without a word leaves after the grace, and is not called unready before', async (t) => {
  const { local, changes, store, sessions } = await agentWorld(t, { graceMs: 300 })
  const connection = connect(t, local)
  const reply = await joined(connection)
  const { heard, ready } = openSession(connection, reply)
  await heard.next()
  ready(true)
  await changes.next()
  await changes.next()
  const brokenMs = performance.now()
  connection.close()
  assert.equal(await changes.next(), `${reply.nodeId} gone`)
  const tookMs = performance.now() - brokenMs
  assert.ok(tookMs >= 290 && tookMs < 2000, `${tookMs} ms`)
  assert.deepEqual(sessions.list(), [])
  assert.equal((await store.list({ kind: 'Workload' })).items.length, 0)
})

test('a session that comes back within the grace loses nothing', async (t) => {
  const { local, changes, sessions } = await agentWorld(t, { graceMs: 5000 })
  const first = connect(t, local)
  const reply = await joined(first)
  const before = openSession(first, reply)
  await before.heard.next()
  before.ready(true)
  await changes.next()
  await changes.next()
  first.close()
  await before.ended
  const after = openSession(connect(t, local), reply)
  assert.equal((await after.heard.next()).case, 'welcome')
  assert.deepEqual(sessions.list(), [{ workload: reply.nodeId, state: 'ready', reason: '', connected: true }])
})

test('a silent agent is told that it is gone', async (t) => {
  const { local, changes } = await agentWorld(t, { leaseMs: 150 })
  const connection = connect(t, local)
  const reply = await joined(connection)
  const { heard, ended } = openSession(connection, reply)
  assert.equal((await heard.next()).case, 'welcome')
  assert.equal((await heard.next()).case, 'gone')
  assert.equal(await ended, 0)
  assert.equal(await changes.next(), `${reply.nodeId} not-ready`)
  assert.equal(await changes.next(), `${reply.nodeId} gone`)
})

test('after a restart the workloads of the store are alive and ready for one term, and their sessions go on', async (t) => {
  const one = await agentWorld(t)
  const [keeps, dies] = [
    await joined(connect(t, one.local)),
    await joined(connect(t, one.local), { instance: 'instance-2' }),
  ]
  await one.close()
  const two = await agentWorld(t, { dir: one.dir, store: one.store, restartTermMs: 700 })
  assert.deepEqual([...two.health.values()], ['ready', 'ready'])
  const { heard } = openSession(connect(t, two.local), keeps)
  assert.equal((await heard.next()).case, 'welcome')
  await two.changes.next()
  await two.changes.next()
  assert.equal(await two.changes.next(), `${dies.nodeId} gone`)
  assert.equal(two.health.get(keeps.nodeId), 'ready')
})

test('a workload that somebody deletes is told, and an unknown one too', async (t) => {
  const { local, store } = await agentWorld(t)
  const connection = connect(t, local)
  const reply = await joined(connection)
  const { heard } = openSession(connection, reply)
  await heard.next()
  await store.write([{ delete: { kind: 'Workload', namespace: 'default', name: reply.workload } }])
  assert.equal((await heard.next()).case, 'gone')
  const again = openSession(connection, reply)
  assert.equal((await again.heard.next()).case, 'gone')
  assert.equal(await again.ended, 0)
})

test('drain takes the workload out first and names the laggards', async (t) => {
  const { local, changes, drains } = await agentWorld(t)
  const connection = connect(t, local)
  const reply = await joined(connection)
  const { heard, ready, send } = openSession(connection, reply)
  await heard.next()
  ready(true)
  send({ case: 'drain', value: { $typeName: 'weft.agent.v1.Drain', deadlineMs: 1000 } })
  ready(true)
  assert.equal(await changes.next(), `${reply.nodeId} not-ready`)
  assert.equal(await changes.next(), `${reply.nodeId} ready`)
  assert.equal(await changes.next(), `${reply.nodeId} draining`)
  assert.equal(drains[0]?.workload, reply.nodeId)
  drains[0].acked(['default/slow-1'])
  const drained = await heard.next()
  assert.ok(drained.case === 'drained')
  assert.deepEqual(drained.value.laggards, ['default/slow-1'])
})

test('questions reach the sidecar and come back; without an agent, an answer or JSON they fail', async (t) => {
  const { local, sessions } = await agentWorld(t)
  const connection = connect(t, local)
  const reply = await joined(connection)
  const ask = (kind: string, timeoutMs = 5000): ReturnType<AgentSessions['ask']> =>
    sessions.ask(reply.nodeId, kind, undefined, timeoutMs)
  assert.deepEqual(await ask('config'), { failed: `no agent is connected for ${reply.nodeId}` })
  const { heard, send } = openSession(connection, reply)
  await heard.next()
  const answers = [
    { json: '{"a":1}', error: '' },
    { json: '', error: 'no such kind' },
    { json: '{', error: '' },
  ]
  const expected = [{ json: { a: 1 } }, { failed: 'no such kind' }, { failed: 'the answer is not JSON' }]
  for (const [index, answer] of answers.entries()) {
    const asked = ask('config')
    const question = await heard.next()
    assert.ok(question.case === 'request' && question.value.kind === 'config')
    send({
      case: 'answer',
      value: {
        $typeName: 'weft.agent.v1.Answer',
        id: question.value.id,
        json: new TextEncoder().encode(answer.json),
        error: answer.error,
      },
    })
    assert.deepEqual(await asked, expected[index])
  }
  assert.deepEqual(await ask('config', 30), { failed: 'no answer within 30 ms' })
  const open = ask('config')
  connection.close()
  assert.deepEqual(await open, { failed: 'the session broke' })
})

test('a token joins over TLS with the pinned root, and the certificate then speaks for the workload', async (t) => {
  const { tokens, ca, address } = await agentWorld(t)
  const wish = { ttlMs: 60_000, address: `127.0.0.1:${address.port}`, rootHash: ca.rootHash }
  const token = parseJoinToken(tokens.issue({ ...wish, namespace: 'shop', serviceAccount: 'web' }))
  assert.ok(!('refused' in token))
  const key = await createKeyAndCsr()
  const joining = connect(t, { address: token.address, tls: { trust: { rootHash: token.rootHash } } })
  const reply = await joined(joining, { token: token.secret, namespace: 'shop', csr: key.csrDer })
  assert.equal(reply.spiffeId, 'spiffe://weft.local/ns/shop/sa/web')
  assert.equal(reply.sessionToken, '')
  const refusals: [JoinInit, number, RegExp][] = [
    [{ token: token.secret, namespace: 'default' }, 7, /is for namespace "shop", not "default"/],
    [{ token: token.secret, namespace: 'shop', service: 'cart' }, 7, /is for service account "web", not "cart"/],
    [{ token: '' }, 16, /is damaged/],
  ]
  for (const [over, code, why] of refusals) {
    const refusal = await joining.unary(grpcMethod(join), await request(over))
    assert.ok('error' in refusal)
    assert.equal(refusal.error.code, code)
    assert.match(refusal.error.message, why)
  }
  const identity = { keyPem: key.keyPem, chainPem: reply.certificate?.chainPem ?? '' }
  const trust = { caPem: reply.certificate?.trustBundlePem ?? '', serverId: controlPlaneId('weft.local') }
  const member = connect(t, { address: token.address, tls: { trust, identity } })
  const { heard } = openSession(member, reply)
  assert.equal((await heard.next()).case, 'welcome')
  const renewed = await member.unary(
    grpcMethod(sign),
    create(SignRequestSchema, { csr: (await createKeyAndCsr()).csrDer }),
  )
  assert.ok('ok' in renewed && renewed.ok.certificate)
  const stranger = openSession(joining, reply)
  assert.equal(await stranger.ended, 16)
})

test('over the local socket the session token is the identity', async (t) => {
  const { local } = await agentWorld(t)
  const connection = connect(t, local)
  const reply = await joined(connection)
  const signWith = async (sessionToken: string) =>
    connection.unary(
      grpcMethod(sign),
      create(SignRequestSchema, { csr: (await createKeyAndCsr()).csrDer, sessionToken }),
    )
  assert.ok('ok' in (await signWith(reply.sessionToken)))
  const refusal = await signWith('')
  assert.ok('error' in refusal && refusal.error.code === 16)
  const other = await joined(connection, { instance: 'instance-2' })
  const thief = openSession(connection, { ...other, sessionToken: reply.sessionToken }, 'instance-2')
  assert.equal(await thief.ended, 16)
})

const bad: [string, JoinInit, RegExp][] = [
  ['a service name', { service: 'Web_1' }, /service "Web_1" is no name/],
  ['the namespace', { namespace: '-' }, /namespace "-" is no name/],
  ['the namespace of the mesh', { namespace: 'weft-system', serviceAccount: 'control-plane' }, /is the mesh's own/],
  ['the app label', { labels: { app: 'other' } }, /label app is the service's name \("web"\)/],
  ['the locality', { locality: 'eu/' }, /locality "eu\/" is not "region\/zone\/sub-zone"/],
  ['a label', { labels: { 'a b': 'c' } }, /label "a b": the key has a wrong form/],
  ['the request for a certificate', { csr: new Uint8Array([1, 2]) }, /is not a PKCS#10 request/],
  ['the instance', { instance: 'One' }, /instance "One" is not 8 to 64/],
]
for (const [what, over, why] of bad) {
  test(`a join is refused for ${what}`, async (t) => {
    const { local, store } = await agentWorld(t)
    const refusal = await connect(t, local).unary(grpcMethod(join), await request(over))
    assert.ok('error' in refusal)
    assert.equal(refusal.error.code, 3)
    assert.match(refusal.error.message, why)
    assert.equal((await store.list()).items.length, 0)
  })
}

test('a join without a field is refused by the name of what is missing, or goes without it', async (t) => {
  const { local } = await agentWorld(t)
  const connection = connect(t, local)
  const whole = await request()
  const told: Record<string, string> = {}
  const ask = async (what: string, message: JoinRequest): Promise<void> => {
    const reply = await connection.unary(grpcMethod(join), message)
    if ('error' in reply) told[what] = `${reply.error.code} ${reply.error.message}`
  }
  // A field that is cleared does not go over the wire, as with an agent that does not know it.
  for (const field of JoinRequestSchema.fields) {
    const message = clone(JoinRequestSchema, whole)
    clearField(message, field)
    await ask(field.name, message)
  }
  for (const field of PortSchema.fields) {
    const message = clone(JoinRequestSchema, whole)
    for (const port of message.ports) clearField(port, field)
    await ask(`ports.${field.name}`, message)
  }
  await ask(
    'gateway.*',
    create(JoinRequestSchema, { service: 'web', instance: 'instance-1', csr: whole.csr, gateway: {} }),
  )
  assert.deepEqual(told, {
    service:
      '3 service "" is no name: lower-case letters, digits and "-", a letter first, at most 63; service account "" is no name: lower-case letters, digits and "-", at most 63',
    instance: '3 instance "" is not 8 to 64 lower-case letters, digits and "-"',
    csr: '3 the certificate request is missing',
    outbound_host: '3 the outbound address: "" is no IP address',
    'ports.service_port': '3 port 0 is not from 1 to 65535',
    'ports.target_port': "3 port 80: the program's port 0 is not from 1 to 65535",
    'ports.inbound_host': '3 port 80: the sidecar\'s address: "" is no IP address',
    'ports.inbound_port': "3 port 80: the sidecar's address: port 0 is not from 1 to 65535",
    'gateway.*': '3 the address to bind, "", is no IP address; the gateway\'s address: "" is no IP address',
  })
})

test('every bad port is named at once', async (t) => {
  const { local } = await agentWorld(t)
  const port = {
    $typeName: 'weft.agent.v1.Port' as const,
    name: 'a',
    targetPort: 8080,
    inboundHost: '127.0.0.1',
    inboundPort: 1,
  }
  const ports = [
    { ...port, servicePort: 80, protocol: 'http' },
    { ...port, servicePort: 80, protocol: 'mqtt' },
    { ...port, servicePort: 81, protocol: '', inboundHost: 'localhost' },
    { ...port, name: 'b', servicePort: 70_000, protocol: '', inboundHost: '0.0.0.0' },
  ]
  const refusal = await connect(t, local).unary(grpcMethod(join), await request({ ports }))
  assert.ok('error' in refusal)
  assert.deepEqual(refusal.error.message.split('; '), [
    'port 80: protocol "mqtt" is not known (known are http, http2, grpc, tcp, udp)',
    'port 80 is declared twice',
    'two ports are called "a"',
    'port 81: the sidecar\'s address: "localhost" is no IP address',
    'port 70000 is not from 1 to 65535',
    "port 70000: the sidecar's address: 0.0.0.0 is no address that others can reach",
  ])
})
