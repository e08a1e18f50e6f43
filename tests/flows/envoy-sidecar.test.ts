import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf, type World } from '../world/world.ts'

const { binary, skip } = realEnvoy()
const envoy = ['--proxy', 'envoy', '--envoy-path', binary]

test(
  'Envoy as a sidecar: mTLS both ways, tunnels, names; what it is asked about itself; drained at its end',
  { skip },
  async (t) => {
    if (!requires(t, 'curl', 'linux')) return
    const world = createWorld(t)
    await world.up()
    const client = await world.run('client', { port: 0, args: envoy })
    const web = await world.run('web', { args: envoy })
    const identity = 'spiffe://weft.local/ns/default/sa/client'
    for (const host of ['web', 'web:80', 'WEB', 'web.', 'web.default', 'web.mesh', 'web.default.svc.cluster.local'])
      assert.match((await world.curlUntil(client, `http://${host}/`, 200)).body, new RegExp(`URI=${identity}"`), host)
    for (const args of [['--proxytunnel'], ['--proxytunnel', '--http2-prior-knowledge']])
      assert.match((await world.curl(client, 'http://web/', { args })).body, new RegExp(identity))
    const wrong = await world.curl(client, 'http://web:81/')
    assert.deepEqual([wrong.status, wrong.body], [502, 'service default/web has no such port; it has 80\n'])
    const outside = await world.curl(client, `http://127.0.0.1:${web.port}/out`)
    assert.equal(JSON.parse(outside.body).path, '/out', 'hosts of nobody are passed on')

    const { out: states } = await world.weft(['proxies'])
    assert.match(states, new RegExp(`default/${web.name} +connected .*SYNCED 3 +SYNCED 1`))
    const { out: routes } = await world.weft(['config', 'client', 'routes', '-o', 'json'])
    assert.match(routes, /"web\.default\.svc\.cluster\.local:80"/)
    assert.match((await world.weft(['config', 'client', 'certs'])).out, new RegExp(`uri: ${identity}`))
    const why = await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])
    assert.equal(why.status, 1)
    assert.match(why.err, /this proxy is Envoy, which does not tell what it would do: `weft config WORKLOAD routes`/)
    assert.match(
      (await world.weft(['upgrade', 'client'])).err,
      /this proxy is Envoy, which is not replaced while it serves/,
    )
    assert.match((await world.weft(['check'])).out, /all is well/)

    await world.apply(`
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: late }
spec: { targetRefs: [{ kind: Service, name: web }], hedging: { after: 50ms } }
`)
    await until('what Envoy does not do is named', async () =>
      /client-\S+ is Envoy, which does not do this: hedging \(TrafficPolicy default\/late spec\.hedging/.test(
        (await world.weft(['proxies'])).out,
      ),
    )

    const slow = world.curl(client, 'http://web/slow/1000')
    await until('the slow call is under way', async () => /"seen":\[.*slow/.test((await seen(world, web.port)).body))
    assert.equal(await web.stop(), 0)
    assert.equal((await slow).status, 200)
    assert.deepEqual(leftIn(world).length, 1, "only the client's folder is left")
    assert.equal(await client.stop(), 0)
    assert.deepEqual(leftIn(world), [])
    for (const { child } of [web, client]) assert.equal(child.err, '', 'nothing to complain of')
  },
)

test(
  'Envoy as a sidecar: killed it comes back on the same ports; a killed agent takes it along, and its folder is found',
  { skip },
  async (t) => {
    if (!requires(t, 'curl', 'linux', 'setpriv')) return
    const world = createWorld(t)
    await world.up()
    const client = await world.run('client', { port: 0, args: envoy })
    const web = await world.run('web', { args: envoy })
    await world.curlUntil(client, 'http://web/', 200)
    for (const one of [web, client]) {
      const before = sidecarOf(one)
      process.kill(before, 'SIGKILL')
      await one.child.said(/Envoy ended and is started again how=SIGKILL/)
      await world.curlUntil(client, 'http://web/', 200)
      assert.notEqual(sidecarOf(one), before)
    }
    const last = sidecarOf(web)
    web.child.signal('SIGKILL')
    await until('its Envoy has ended', () => !fs.existsSync(`/proc/${last}`))
    assert.equal(leftIn(world).length, 2)
    const next = await world.run('web', { args: envoy })
    await next.child.said(/what killed agents had left of their Envoys was removed count=1/)
    assert.equal(leftIn(world).length, 2, "the client's and the new one's")
    await world.curlUntil(client, 'http://web/', 200)
  },
)

test('Envoy as a sidecar: while it starts again its workload is no endpoint', { skip }, async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const [one, two] = [await world.run('web', { args: envoy }), await world.run('web', { args: envoy })]
  await world.curlUntil(client, 'http://web/', 200)
  /** As the caller's sidecar has them. */
  const healthOf = async (name: string): Promise<string | undefined> => {
    const reply = await fetch(`${client.adminUrl}/clusters`)
    const clusters = (await reply.json()) as { name: string; endpoints: EndpointState[] }[]
    const web = clusters.find((cluster) => cluster.name === 'default/web/80')
    return web?.endpoints.find(({ workload }) => workload === `default/${name}`)?.health
  }
  for (const { name } of [one, two]) await until('it is there', async () => (await healthOf(name)) === 'healthy')
  process.kill(sidecarOf(one), 'SIGKILL')
  await until('the caller knows that it is not ready', async () => (await healthOf(one.name)) !== 'healthy')
  assert.equal(await healthOf(two.name), 'healthy')
  await until('it is back', async () => (await healthOf(one.name)) === 'healthy')
  assert.equal(await one.stop(), 0)
})

interface EndpointState {
  readonly workload?: string
  readonly health?: string
}

test('Envoy as a sidecar: certificates are renewed and pushed, and no call is lost', { skip }, async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up({ leafTtlMs: 6000 })
  const client = await world.run('client', { port: 0, args: envoy })
  const web = await world.run('web', { args: envoy })
  await world.curlUntil(client, 'http://web/', 200)
  const serial = async (url: string): Promise<string> => {
    const { body } = await world.curl(undefined, `${url}/certs`)
    const own = /"cert_chain"[\s\S]*?"serial_number": "([^"]+)"/.exec(body)
    return own?.[1] ?? assert.fail(`no serial number in ${body}`)
  }
  const load = world.load(client, 'http://web/', { ratePerSecond: 50 })
  await load.more(10)
  for (const { adminUrl } of [client, web, client, web]) {
    const before = await serial(adminUrl)
    await until('it has another certificate', async () => (await serial(adminUrl)) !== before)
  }
  await load.more(350)
  await load.stop()
  assert.deepEqual(load.failures, [])
})

test('Envoy as a sidecar: what cannot be is refused with the remedy', { skip }, async (t) => {
  if (!requires(t, 'linux')) return
  const world = createWorld(t)
  await world.up()
  const run = (...args: string[]) => world.weft(['run', '--service', 'web', ...args, '--', 'true'])
  for (const [args, status, form] of [
    [
      ['--proxy', 'envoy', '--envoy-path', '/nowhere'],
      1,
      /--envoy-path \/nowhere is no program that can be started: install Envoy/,
    ],
    [['--proxy', 'nginx'], 2, /--proxy is weft or envoy, not "nginx"/],
    [['--envoy-path', binary], 2, /--envoy-path goes with --proxy envoy/],
    [[...envoy, '--capture', 'namespace'], 2, /--capture namespace does not go with --proxy envoy.*--capture explicit/],
    [[...envoy, '--capture', 'host'], 2, /--capture host does not go with --proxy envoy/],
    [[...envoy, '--workers', '2'], 2, /--workers does not go with --proxy envoy, which has threads of its own/],
    [['--proxy', 'envoy', '--envoy-path', '/bin/false'], 1, /the sidecar did not start: Envoy ended \(status 1\)/],
  ] as const) {
    const refused = await run(...args)
    assert.equal(refused.status, status, refused.err)
    assert.match(refused.err, form)
  }
  assert.deepEqual(leftIn(world), [])
})

const leftIn = ({ dir }: World): readonly string[] =>
  fs.readdirSync(dir).filter((name) => name.startsWith('weft-envoy-sidecar-'))

const seen = (world: World, port: number): Promise<{ readonly body: string }> =>
  world.curl(undefined, `http://127.0.0.1:${port}/seen`)
