import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

/** One of two instances refuses the path that is checked, and nothing else. */
const ill = `
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: ill }
spec:
  selector: { matchLabels: { version: ill } }
  action: DENY
  rules: [{ to: [{ operation: { paths: [/ready] } }] }]
`
const checks = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  healthChecks: { http: { path: /ready }, interval: 500ms, timeout: 500ms, unhealthyThreshold: 2 }
`

test('health checks: an instance that fails them gets no calls, explain says why, and it comes back', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [client] = await Promise.all([
    world.run('client', { port: 0 }),
    ...['well', 'ill'].map((version) => world.run('web', { says: version, labels: [`version=${version}`] })),
  ])
  const answers = async (): Promise<ReadonlySet<string>> => {
    const names = new Set<string>()
    for (let count = 0; count < 12; count++) {
      const { status, body } = await world.curl(client, 'http://web/')
      assert.equal(status, 200, body)
      names.add((JSON.parse(body) as { name: string }).name)
    }
    return names
  }
  const explain = async (): Promise<string> =>
    (await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])).out
  await until('both take calls', async () => (await answers()).size === 2)
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: `${ill}---${checks}` })
  assert.equal(status, 0, `${out}${err}`)

  await until('one is left out', async () => /✗ .* unhealthy \(last check: status 403\)/.test(await explain()))
  assert.deepEqual([...(await answers())], ['well'])
  assert.match(await explain(), /policy: healthChecks +\(TrafficPolicy default\/web spec\.healthChecks\)/)

  assert.equal((await world.weft(['delete', 'AuthorizationPolicy', 'ill'])).status, 0)
  await until('it is back', async () => (await answers()).has('ill'))
})
