import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

const route = (backend: string): string => `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - backendRefs: [{ name: ${backend}, port: 80 }]
`

/** What is wrong with each text must be said in these words; nothing of it may be written. */
const wrong: readonly { readonly title: string; readonly text: string; readonly says: readonly RegExp[] }[] = [
  {
    title: 'an unknown kind',
    text: 'apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRuote\nmetadata: { name: a }\nspec: {}\n',
    says: [/HTTPRuote/, /did you mean "?HTTPRoute/],
  },
  {
    title: 'an unknown field',
    text: route('web').replace('backendRefs', 'backendRef'),
    says: [/HTTPRoute default\/web/, /spec\.rules\[0\]\.backendRef\b/, /did you mean "backendRefs"/],
  },
  {
    title: 'a wrong type',
    text: route('web').replace('port: 80', 'port: eighty'),
    says: [/spec\.rules\[0\]\.backendRefs\[0\]\.port/, /1 to 65535/, /eighty/],
  },
  {
    title: 'the same name twice',
    text: `${route('web')}---${route('web')}`,
    says: [/HTTPRoute default\/web/, /twice|duplicate|already|again/i],
  },
  {
    title: 'several problems, all named at once, with their lines',
    text: 'apiVersion: v1\nkind: Service\nmetadata: { name: UPPER }\nspec:\n  ports:\n    - port: 0\n    - porrt: 1\n',
    says: [/metadata\.name/, /spec\.ports\[0\]\.port/, /spec\.ports\[1\]\.porrt/, /:6\b/, /:7\b/],
  },
  { title: 'no YAML at all', text: 'a: [1, 2\nb: }\n', says: [/:\d+/] },
  { title: 'a tower of brackets', text: '['.repeat(100_000), says: [/deep|nest/i] },
  { title: 'ten megabytes of garbage', text: garbage(), says: [/large|MiB|MB|bytes/i] },
]

function garbage(): string {
  const line = 'x9$[{&*!|>%@`:- ,]}'
  return `${line.repeat(8)}\n`.repeat(Math.ceil((10 * 1024 * 1024) / (line.length * 8)))
}

test('bad input: each mistake is named, nothing is written, the last good configuration stays in force', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const { child } = await world.up()
  const client = await world.run('client', { port: 0 })
  await world.run('web')
  await world.curlUntil(client, 'http://web/', 200)
  await world.apply(route('web'))
  for (const { title, text, says } of wrong) {
    await t.test(title, async () => {
      const file = world.file('wrong.yaml', text)
      for (const command of [['apply'], ['validate']]) {
        const start = performance.now()
        const { status, out, err } = await world.weft([...command, '-f', file])
        assert.equal(status, 1, `${command[0]} takes it: ${out}${err}`)
        for (const form of says) assert.match(err, form, `${command[0]} does not say ${form}`)
        assert.ok(err.length < 20_000, `${err.length} characters are no message`)
        assert.ok(performance.now() - start < 10_000, 'it took too long')
      }
      assert.equal((await world.curl(client, 'http://web/')).status, 200)
      assert.ok(child.isRunning)
    })
  }
  // Straight at the API, past the command's own checks.
  for (const { title, text } of wrong) {
    const file = world.file('wrong.yaml', text)
    const { status } = await world.curl(undefined, 'http://weft/v1/apply', {
      args: ['--unix-socket', `${world.dataDir}/api.sock`, '--data-binary', `@${file}`],
    })
    assert.ok([400, 413, 422].includes(status), `${title}: the API answered ${status}`)
  }
  assert.equal((await world.curl(client, 'http://web/')).status, 200)
})

test('bad input: a watched file that breaks or vanishes is told, and what it said last stays in force', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  const services = ['a', 'b'].map(
    (name) => `apiVersion: v1
kind: Service
metadata: { name: web-${name} }
spec: { selector: { app: web, version: ${name} }, ports: [{ name: http, port: 80 }] }
`,
  )
  world.file('mesh/services.yaml', services.join('---\n'))
  const file = world.file('mesh/route.yaml', route('web-a'))
  const { child } = await world.up({ args: ['-f', `${world.dir}/mesh/services.yaml`, '-f', file] })
  const client = await world.run('client', { port: 0 })
  await world.run('web', { says: 'a', labels: ['version=a'] })
  await world.run('web', { says: 'b', labels: ['version=b'] })
  const answers = (name: string): Promise<unknown> =>
    until(`${name} answers alone`, async () => {
      const replies = await Promise.all(Array.from({ length: 6 }, () => world.curl(client, 'http://web/')))
      return replies.every(({ body }) => body.includes(`"${name}"`))
    })
  await answers('a')
  fs.writeFileSync(file, route('web-b'))
  await answers('b')
  fs.writeFileSync(file, route('web-a').replace('rules:', 'ruless:'))
  await child.said(/route\.yaml:\d+.*ruless/)
  await answers('b')
  fs.rmSync(file)
  await child.said(/route\.yaml.*(?:gone|vanish|missing|no longer|removed|not there)/i)
  await answers('b')
  fs.writeFileSync(file, route('web-a'))
  await answers('a')
})

test('bad input: what a file gets wrong at the start stops the start, with its place', async (t) => {
  const world = createWorld(t)
  const file = world.file('bad.yaml', route('web').replace('rules:', 'ruless:'))
  const { status, err } = await world.weft(['up', '--xds', '127.0.0.1:0', '--api', '127.0.0.1:0', '-f', file])
  assert.equal(status, 1)
  assert.match(err, /bad\.yaml:\d+.*ruless.*did you mean "rules"/)
})
