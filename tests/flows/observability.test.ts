import assert from 'node:assert/strict'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld, type World } from '../world/world.ts'

const accessLog = `
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: { name: default }
spec: { accessLog: { enabled: true } }
`

const figures = async (world: World, url: string): Promise<string> =>
  (await world.curl(undefined, `${url}/metrics`)).body

/** The sum of all series of `name` that carry each of `labels`. */
function sum(text: string, name: string, labels: Readonly<Record<string, string>>): number {
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`))
    .filter((line) => Object.entries(labels).every(([key, value]) => line.includes(`${key}="${value}"`)))
    .reduce((total, line) => total + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
}

test('observability: both sidecars count each request, with who asked whom', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const { apiUrl } = await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  const counted = async (url: string, labels: Record<string, string>): Promise<number> =>
    sum(await figures(world, url), 'weft_requests_total', labels)
  const [outBefore, inBefore] = [
    await counted(client.adminUrl, { direction: 'outbound', status: '200' }),
    await counted(web.adminUrl, { direction: 'inbound', status: '200' }),
  ]
  for (let count = 0; count < 10; count++) assert.equal((await world.curl(client, 'http://web/')).status, 200)
  for (let count = 0; count < 3; count++) assert.equal((await world.curl(client, 'http://web/status/418')).status, 418)
  await until('the caller counted them', async () => {
    return (await counted(client.adminUrl, { direction: 'outbound', status: '200' })) - outBefore === 10
  })
  await until('the callee counted them', async () => {
    return (await counted(web.adminUrl, { direction: 'inbound', status: '200' })) - inBefore === 10
  })
  assert.equal(await counted(client.adminUrl, { direction: 'outbound', status: '418' }), 3)
  const text = await figures(world, web.adminUrl)
  assert.match(text, /weft_requests_total\{[^}]*source[^}]*client/, 'the callee knows the caller')
  assert.match(text, /weft_request_duration_seconds_bucket\{/)

  const control = await figures(world, apiUrl)
  assert.match(control, /^weft_xds_connected_proxies 2$/m)
})

test('observability: weft says what each proxy runs, and the access log what each request was', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await until('every proxy has acknowledged', async () => {
    const { out } = await world.weft(['proxies'])
    return out.includes(client.name) && out.includes(web.name) && !/STALE|REJECTED/.test(out)
  })
  for (const part of ['listeners', 'routes', 'clusters', 'endpoints', 'certs']) {
    const { status, out, err } = await world.weft(['config', client.name, part])
    assert.equal(status, 0, err)
    assert.doesNotMatch(out, /PRIVATE KEY/)
  }
  const routes = await world.weft(['config', client.name, 'routes'])
  assert.match(routes.out, /default\/web\/80/)

  await world.apply(accessLog)
  const lines = (): readonly Record<string, unknown>[] =>
    `${web.child.out}${web.child.err}`.split('\n').flatMap((line) => {
      const start = line.indexOf('{')
      try {
        return start < 0 ? [] : [JSON.parse(line.slice(start)) as Record<string, unknown>]
      } catch {
        return []
      }
    })
  const line = await until('a line of the access log', async () => {
    await world.curl(client, 'http://web/look-for-me')
    return lines().find((one) => JSON.stringify(one).includes('/look-for-me'))
  })
  assert.match(JSON.stringify(line), /spiffe:\/\/weft\.local\/ns\/default\/sa\/client/)
})
