import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ProxyState } from '../../src/control/api/contract.ts'
import { earlierBuild } from '../world/earlier-build.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type World } from '../world/world.ts'

const policies = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - matches: [{ path: { type: PathPrefix, value: /v2 } }]
      backendRefs: [{ name: next, port: 80 }]
    - backendRefs: [{ name: web, port: 80 }]
---
apiVersion: weft.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/secret] } }] }]
`

test('sidecars of an earlier build and of this one work together, under a control plane of either', async (t) => {
  if (!requires(t, 'curl')) return
  const earlier = earlierBuild(t)
  if (earlier === undefined) return
  t.diagnostic(`the earlier build is ${earlier.name}`)
  const { script } = earlier

  await t.test('this control plane, older and newer sidecars', async (t) => {
    const world = createWorld(t)
    await world.up()
    await together(world, script)
  })
  await t.test('the earlier control plane, older and newer sidecars', async (t) => {
    const world = createWorld(t)
    await world.up({ script })
    await together(world, script)
  })
  await t.test('the control plane is upgraded under running sidecars, on the same store', async (t) => {
    const world = createWorld(t)
    const before = await world.up({ script })
    const client = await world.run('client', { port: 0, script })
    await world.run('web', { script })
    await world.curlUntil(client, 'http://web/', 200)
    before.child.signal('SIGTERM')
    await before.child.ended
    assert.equal((await world.curl(client, 'http://web/')).status, 200, 'meanwhile it serves on')
    await world.up()
    const late = await world.run('late', { port: 0 })
    await world.curlUntil(late, 'http://web/', 200)
    await allInStep(world, 3)
    assert.equal((await world.curl(client, 'http://web/')).status, 200)
  })
})

/** Callers and callees of both builds, each with each: routed, encrypted, authorized; and nobody refuses what it is sent. */
async function together(world: World, script: string): Promise<void> {
  const older = await world.run('older', { port: 0, script })
  const newer = await world.run('newer', { port: 0 })
  await world.run('web', { script })
  await world.run('next')
  await world.apply(policies)
  for (const caller of [older, newer]) {
    const { body } = await world.curlUntil(caller, 'http://web/', 200)
    assert.match(body, /web/)
    assert.match((await world.curlUntil(caller, 'http://web/v2/x', 200)).body, /next/)
    await world.curlUntil(caller, 'http://web/secret', 403)
  }
  await allInStep(world, 4)
}

async function allInStep(world: World, count: number): Promise<void> {
  await until('every sidecar took all that it was sent', async () => {
    const { out } = await world.weft(['proxies', '-o', 'json'])
    const { items } = JSON.parse(out) as { items: readonly ProxyState[] }
    const connected = items.filter((one) => one.connected)
    const rejected = connected.flatMap(({ proxy, types }) =>
      types.flatMap((one) => one.rejected.map((two) => [proxy, two])),
    )
    assert.deepEqual(rejected, [])
    return connected.length === count && connected.every(({ types }) => types.every(({ synced }) => synced))
  })
}
