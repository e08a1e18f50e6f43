import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import path from 'node:path'
import { test } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

const datagramsProgram = path.join(import.meta.dirname, '../world/programs/datagrams.mjs')
const gatewayWith = (listeners: string, more = ''): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: edge }\nspec: { gatewayClassName: weft, ${more}listeners: [${listeners}] }\n---\n`
const http = '{ name: http, port: 80, protocol: HTTP }'
const route = (name: string, spec: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: { name: ${name} }\nspec: { parentRefs: [{ name: edge }], ${spec} }\n---\n`
const toWeb = route('web', 'hostnames: [shop.example], rules: [{ backendRefs: [{ name: web, port: 80 }] }]')
const shop = ['Host: shop.example']

interface Conditions {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[]
}
async function statusOf(world: World): Promise<Conditions & { readonly addresses: readonly { value: string }[] }> {
  const { out } = await world.weft(['get', 'gateway', 'edge', '-o', 'json'])
  return (JSON.parse(out) as { status: Conditions & { addresses: { value: string }[] } }).status
}
const programmed = ({ conditions }: Conditions) => conditions.find(({ type }) => type === 'Programmed')

test('gateway: a Gateway is served on an address of its own, under its identity, by host', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [edge] = await Promise.all([world.gateway('edge'), world.run('web')])
  await world.apply(gatewayWith(http) + toWeb)
  assert.match(edge.address, /^127\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./)
  const args = [...shop, 'x-weft-upstream-fault: reset', 'x-forwarded-for: 192.0.2.1', 'x-forwarded-proto: https']
  const reply = await world.curlUntil(undefined, `http://${edge.address}/a`, 200, { headers: args })
  const { headers } = JSON.parse(reply.body) as { headers: Record<string, string> }
  assert.equal(headers['host'], 'shop.example')
  assert.equal(headers['x-forwarded-for'], '192.0.2.1, 127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-weft-upstream-fault'], undefined)
  assert.match(headers['x-forwarded-client-cert'] ?? '', /URI=spiffe:\/\/weft\.local\/ns\/default\/sa\/edge$/)

  const unknown = await world.curl(undefined, `http://${edge.address}/a`, { headers: ['Host: other.example'] })
  assert.equal(unknown.status, 404)
  assert.equal((await world.curl(undefined, `http://${edge.address}:15021/healthz/ready`)).status, 200)
  await until('it is programmed', async () => programmed(await statusOf(world))?.status === 'True')
  assert.deepEqual((await statusOf(world)).addresses, [{ type: 'IPAddress', value: edge.address }])
  assert.match((await world.weft(['get', 'gateways'])).out, new RegExp(`edge +weft +${edge.address} +yes`))
  const explained = await world.weft(['explain', '--from', 'edge', 'GET', 'http://shop.example/a'])
  assert.match(explained.out, /HTTPRoute default\/web/, explained.err)
  assert.equal(await edge.stop(), 0)
  await until('nobody serves it', async () => /nobody serves it/.test(programmed(await statusOf(world))?.message ?? ''))
})

test('gateway: listeners come and go, and the proxy is replaced, without a failure at those that stay; ports are mapped', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const mapped = await freePort()
  const [edge] = await Promise.all([world.gateway('edge', { args: ['--port-map', `81=${mapped}`] }), world.run('web')])
  await world.apply(gatewayWith(http) + toWeb)
  await world.curlUntil(undefined, `http://${edge.address}/`, 200, { headers: shop })
  const load = world.load(undefined, `http://${edge.address}/`, { headers: shop })
  await load.more(20)

  await world.apply(gatewayWith(`${http}, { name: more, port: 81, protocol: HTTP }`))
  await world.curlUntil(undefined, `http://${edge.address}:${mapped}/`, 200, { headers: shop })
  await world.apply(gatewayWith(http))
  await world.curlUntil(undefined, `http://${edge.address}:${mapped}/`, 0, { headers: shop })
  const upgraded = await world.weft(['upgrade', edge.name])
  assert.equal(upgraded.status, 0, upgraded.err)
  await load.more(20)
  await load.stop()
  assert.deepEqual(load.failures, [])
})

test('gateway: instances share nothing: each its address, and one may go under load', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [one, other] = await Promise.all([world.gateway('edge'), world.gateway('edge'), world.run('web')])
  assert.notEqual(one.address, other.address)
  await world.apply(gatewayWith(http) + toWeb)
  for (const { address } of [one, other]) await world.curlUntil(undefined, `http://${address}/`, 200, { headers: shop })
  await until('both are in the status', async () => (await statusOf(world)).addresses.length === 2)
  const slow = world.curl(undefined, `http://${one.address}/slow/3000`, { headers: shop })
  const clusters = async (): Promise<string> => (await world.weft(['config', one.name, 'endpoints', '-o', 'json'])).out
  await until('the call is under way', async () => /"activeCalls": ?1/.test(await clusters()))
  assert.equal(await one.stop(), 0)
  assert.equal((await slow).status, 200, 'calls in flight end well')
  assert.equal((await world.curl(undefined, `http://${other.address}/`, { headers: shop })).status, 200)
})

test('gateway: an address that cannot be bound is told, and bound when it can be', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  await world.apply(gatewayWith(http, 'addresses: [{ value: 192.0.2.77 }], ') + toWeb)
  const edge = await world.gateway('edge')
  await until('it is said', () => /192\.0\.2\.77:80: not an address of this machine/.test(edge.child.err))
  const message = await until('it is in the status', async () => programmed(await statusOf(world))?.message)
  assert.match(message, /none ready yet|192\.0\.2\.77/)
  await world.apply(gatewayWith(http, 'addresses: [{ value: 127.0.0.1 }], '.replace('127.0.0.1', edge.address)))
  await world.curlUntil(undefined, `http://${edge.address}/`, 404, { headers: ['Host: nobody.example'] })
})

const dnsGateway = gatewayWith('{ name: udp, port: 5300, protocol: UDP }')
const dnsRoute = (backends: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: UDPRoute\nmetadata: { name: talk }\nspec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [${backends}] }] }\n---\n`

/** One datagram from a source of its own; undefined: no answer came. */
async function talk({ address }: { address: string }, text: string): Promise<string | undefined> {
  const socket = dgram.createSocket('udp4')
  try {
    socket.send(text, 5300, address)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(2000) })) as [Buffer]
    return answer.toString()
  } catch {
    return undefined
  } finally {
    socket.close()
  }
}

test('gateway: datagrams go to programs by weight, through a change of the proxy too; a policy about senders closes', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const speaker = async (name: string): Promise<Workload> => {
    const port = await freePort()
    return world.run(name, {
      port: 0,
      args: ['--port', `talk:53=${port}/udp`],
      command: (report) => [process.execPath, datagramsProgram, name, String(port), report],
    })
  }
  const [edge] = await Promise.all([world.gateway('edge'), speaker('one'), speaker('two')])
  await world.apply(dnsGateway + dnsRoute('{ name: one, port: 53 }, { name: two, port: 53 }'))
  await until('it answers', async () => (await talk(edge, 'hi')) !== undefined)
  assert.match(edge.child.err, /listens on \S+:5300\/udp/)
  const spread = (): Promise<readonly (string | undefined)[]> =>
    Promise.all(Array.from({ length: 30 }, () => talk(edge, 'hi')))
  assert.deepEqual(new Set(await spread()), new Set(['one: hi', 'two: hi']))

  const upgraded = await world.weft(['upgrade', edge.name])
  assert.equal(upgraded.status, 0, upgraded.err)
  assert.ok(
    (await spread()).every((answer) => answer !== undefined),
    'the new process has the socket, and the old one lets go',
  )

  await world.apply(dnsRoute('{ name: two, port: 53 }, { name: nobody, port: 53, weight: 0 }'))
  await until('only two answers', async () => (await spread()).every((answer) => answer === 'two: hi'))
  const metrics = await world.curl(undefined, `${edge.adminUrl}/metrics`)
  assert.match(metrics.body, /weft_udp_sessions_total\{destination_service="default\/two"\} \d+/)
  const { out: route } = await world.weft(['describe', 'udproute', 'talk'])
  assert.match(route, /there is no Service default\/nobody/)

  const selector = 'selector: { matchLabels: { gateway.networking.k8s.io/gateway-name: edge } }'
  await world.apply(
    `apiVersion: weft.dev/v1alpha1\nkind: AuthorizationPolicy\nmetadata: { name: known }\nspec: { ${selector}, rules: [{ from: [{ source: { namespaces: [default] } }] }] }\n`,
  )
  const { out: policy } = await world.weft(['describe', 'authorizationpolicy', 'known'])
  assert.match(policy, /UDP listeners of Gateway default\/edge drop\s+everything/)
  await until('nothing comes through', async () => (await talk(edge, 'hi')) === undefined)
})
