import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const policy = `
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: near }
spec:
  targetRefs: [{ kind: Namespace, name: default }]
  locality: { prefer: Zone }
`

test('locality: calls stay in the zone; when its instance is killed they go to the other one, and none fails', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [near, far, here, elsewhere] = await Promise.all([
    world.run('web', { says: 'near', args: ['--locality', 'eu/eu-1'] }),
    world.run('web', { says: 'far', args: ['--locality', 'eu/eu-2'] }),
    world.run('here', { port: 0, args: ['--locality', 'eu/eu-1'] }),
    world.run('elsewhere', { port: 0, args: ['--locality', 'eu/eu-2/rack-1'] }),
  ])
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: policy })
  assert.equal(status, 0, `${out}${err}`)

  const who = async (from: typeof here): Promise<string> => {
    const { status: code, body } = await world.curl(from, 'http://web/')
    assert.equal(code, 200, body)
    return (JSON.parse(body) as { name: string }).name
  }
  const answers = async (from: typeof here): Promise<ReadonlySet<string>> => {
    const names = new Set<string>()
    for (let count = 0; count < 12; count++) names.add(await who(from))
    return names
  }
  await until('both instances are ready', async () => {
    const explained = await world.weft(['explain', '--from', 'here', 'GET', 'http://web/'])
    return (explained.out.match(/ healthy, in eu\/eu-[12]/g) ?? []).length === 2
  })
  assert.deepEqual([...(await answers(here))], ['near'])
  assert.deepEqual([...(await answers(elsewhere))], ['far'])
  const explained = await world.weft(['explain', '--from', 'here', 'GET', 'http://web/'])
  assert.match(explained.out, new RegExp(`✓ \\S+ default/${near.name} healthy, in eu/eu-1, 0 active`), explained.out)
  assert.match(
    explained.out,
    new RegExp(`✗ \\S+ default/${far.name} healthy, in eu/eu-2, at priority 1`),
    explained.out,
  )
  assert.match(explained.out, /policy: locality +\(TrafficPolicy default\/near spec\.locality\)/)

  process.kill(near.programPid, 'SIGKILL')
  assert.equal(await who(here), 'far', 'the very next call')
  assert.deepEqual([...(await answers(here))], ['far'])
})

// Written, since a Service that is inferred goes with its last instance.
const failover = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: { name: web }
spec:
  targetRefs: [{ kind: Service, name: web }]
  failover: { backendRef: { name: spare, port: 80 } }
`

test('failover: another service takes the calls when the only instance is killed, with its own identity, and none fails', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const [web, , client] = await Promise.all([world.run('web'), world.run('spare'), world.run('client', { port: 0 })])
  const { status, out, err } = await world.weft(['apply', '--wait', '-f', '-'], { input: failover })
  assert.equal(status, 0, `${out}${err}`)
  const who = async (): Promise<string> => {
    const { status: code, body } = await world.curl(client, 'http://web/')
    assert.equal(code, 200, body)
    return (JSON.parse(body) as { name: string }).name
  }
  const explain = async (): Promise<string> =>
    (await world.weft(['explain', '--from', 'client', 'GET', 'http://web/'])).out
  await until('both services are ready', async () => ((await explain()).match(/ healthy/g) ?? []).length === 2)
  for (let count = 0; count < 8; count++) assert.equal(await who(), 'web')
  const explained = await explain()
  assert.match(explained, /✗ \S+ default\/spare-\w+ healthy, at priority 1/, explained)
  assert.match(explained, /policy: failover +\(TrafficPolicy default\/web spec\.failover\)/)

  process.kill(web.programPid, 'SIGKILL')
  for (let count = 0; count < 8; count++) assert.equal(await who(), 'spare')
})
