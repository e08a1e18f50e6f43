import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

const route = (rules: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:${rules}
    - backendRefs: [{ name: web, port: 80 }]
`

test('routing: timeouts end what takes too long, and retries go by the codes that are listed', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(
    route(`
    - matches: [{ path: { value: /slow } }]
      timeouts: { request: 300ms }
      backendRefs: [{ name: web, port: 80 }]
    - matches: [{ path: { value: /status } }]
      retry: { codes: [503], attempts: 2, backoff: 200ms }
      backendRefs: [{ name: web, port: 80 }]`),
  )
  await world.curlUntil(client, 'http://web/slow/2000', 504)
  assert.equal((await world.curl(client, 'http://web/slow/10')).status, 200)
  const tookMs = async (path: string, method = 'GET'): Promise<number> => {
    const startMs = performance.now()
    await world.curl(client, `http://web${path}`, { method })
    return performance.now() - startMs
  }
  assert.ok((await tookMs('/status/503')) >= 400, 'two waits of at least 200 ms')
  assert.ok((await tookMs('/status/500')) < 400, 'not listed')
  assert.ok((await tookMs('/status/503', 'POST')) < 400, 'not idempotent')
})
