import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { startCollector, type CollectedSpan } from '../world/programs/collector.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload } from '../world/world.ts'

const config = (collector: string, more = ''): string =>
  `apiVersion: weft.dev/v1alpha1\nkind: MeshConfig\nmetadata: { name: default }\nspec: { tracing: { collector: { backendRef: { name: otel, namespace: observability, ${collector} }, samplingPercent: 100${more} } }\n`
const gateway = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec: { gatewayClassName: weft, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec: { parentRefs: [{ name: edge }], rules: [{ backendRefs: [{ name: web, port: 80 }] }] }
---
`
/** Each with who made it and its parent: "web ingress < client egress web". */
function chainOf(spans: readonly CollectedSpan[]): readonly string[] {
  const named = ({ resource, name }: CollectedSpan): string => `${String(resource['service.name'])} ${name}`
  return spans
    .map((span) => {
      const above = spans.find(({ spanId }) => spanId === span.parentId)
      return `${named(span)}${span.parentId === '' ? '' : ` < ${above === undefined ? 'nobody' : named(above)}`}`
    })
    .toSorted()
}

const ourChain = [
  'api ingress < web egress api',
  'client egress web',
  'web egress api < web ingress',
  'web ingress < client egress web',
]

/** A mesh of a client, web, api and a collector; and what asks until all spans of one of its requests have come. */
async function startShop(t: TestContext, ofWeb: readonly string[] = []) {
  const world = createWorld(t)
  await world.up()
  const [grpcPort, httpPort] = [await freePort(), await freePort()]
  const [client] = await Promise.all([
    world.run('client', { port: 0 }),
    world.run('web', { args: ofWeb }),
    world.run('api'),
    world.run('otel', {
      namespace: 'observability',
      port: 0,
      args: ['--port', `4317=${grpcPort}/grpc`, '--port', `4318=${httpPort}`],
    }),
  ])
  const collector = await startCollector(grpcPort, httpPort)
  t.after(() => collector.stop())
  let asked = 0
  const chain = (url: string, from: Workload | undefined, count: number): Promise<readonly string[]> =>
    until(`${count} spans of one call of ${url}`, async () => {
      const path = `/call?url=http://api/${++asked}`
      const { status } = await world.curl(from, `${url}${path}`)
      if (status !== 200) return undefined
      const own = (): readonly CollectedSpan[] => {
        const first = collector.spans.find(({ attributes }) => String(attributes['http.url']).endsWith(path))
        return collector.spans.filter(({ traceId }) => traceId === first?.traceId)
      }
      // Envoy keeps a few to itself for five seconds.
      for (let left = 60; left > 0 && own().length < count; left--) await sleep(100)
      const spans = own()
      return spans.length < count ? undefined : chainOf(spans)
    })
  const inForce = async (input: string): Promise<void> => {
    const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input })
    assert.equal(status, 0, out + err)
  }
  return { world, client, collector, chain, inForce }
}

test('tracing: what sidecars and gateways tell of one request is one trace, at a collector that is a workload of the mesh', async (t) => {
  if (!requires(t, 'curl')) return
  const { world, client, collector, chain, inForce } = await startShop(t)
  const edge = await world.gateway('edge')
  await inForce(gateway + config('port: 4317 }', ', customTags: [{ tag: shop, value: ours }]'))
  assert.deepEqual(await chain('http://web', client, 4), ourChain)
  assert.ok(collector.spans.every(({ attributes }) => attributes['shop'] === 'ours'))
  // No spans of the exports themselves.
  assert.ok(collector.spans.every(({ resource }) => resource['service.name'] !== 'otel'))

  const wrong = await world.weft(['apply', '-f', '-'], { input: config('port: 4319 }') })
  assert.match(
    wrong.out + wrong.err,
    /spec\.tracing\.collector\.backendRef\.port: Service observability\/otel has no port 4319 \(it has 80, 4317, 4318\), so there are no spans/,
  )
  collector.spans.splice(0)
  await inForce(config('port: 4318 }'))
  await until('exports come by HTTP', async () => {
    await world.curl(undefined, `http://${edge.address}/`)
    return collector.exports.some((one) => one[':path'] === '/v1/traces')
  })
  assert.deepEqual(await chain(`http://${edge.address}`, undefined, 5), [
    'api ingress < web egress api',
    'edge ingress',
    'edge router default/web/80 egress < edge ingress',
    'web egress api < web ingress',
    'web ingress < edge router default/web/80 egress',
  ])
  const figures = await world.curl(undefined, `${client.adminUrl}/metrics`)
  assert.match(figures.body, /weft_spans_total\{collector="observability\/otel\/4317",outcome="exported"\} [1-9]/)
})

const { binary, skip } = realEnvoy()

test('tracing: an Envoy as sidecar tells of its part', { skip }, async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const { client, chain, inForce } = await startShop(t, ['--proxy', 'envoy', '--envoy-path', binary])
  await inForce(config('port: 4317 }'))
  assert.deepEqual(await chain('http://web', client, 4), ourChain)
})
