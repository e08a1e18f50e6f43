import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { createWorld } from '../world/world.ts'

const echo = path.join(path.dirname(import.meta.dirname), 'world/programs/echo.mjs')

test('run -f: programs start as they need one another, speak with their names, and end together', async (t) => {
  if (!requires(t, 'curl')) return
  const world = createWorld(t)
  await world.up()
  const port = await freePort()
  const file = world.file(
    'processes.yaml',
    `processes:
  - name: visitor
    command: [sh, -c, 'curl -sS http://web/hello; echo; echo "$GREETING"; sleep 30']
    capture: explicit
    env: { GREETING: moin }
    dependsOn: [web]
  - name: web
    command: [${process.execPath}, ${echo}, web, ${port}, ${world.dir}/report]
    capture: explicit
    ports: [80=${port}/http]
    dependsOn: [{ name: first, condition: completed }]
  - name: first
    command: [sh, -c, 'sleep 0.2; echo done']
    capture: explicit
`,
  )
  const run = world.start('weft run -f', ['run', '-f', file])
  await run.said(/^visitor \| moin$/m)
  assert.match(run.out, /^first {3}\| done\n(.*\n)*visitor \| \{"name":"web",.*"path":"\/hello"/)
  run.signal('SIGINT')
  assert.equal(await run.ended, 130)
  const ends = Array.from(run.err.matchAll(/^(\w+) +\| ended with status \d+$/gm), ([, name]) => name)
  assert.deepEqual(ends, ['first', 'visitor', 'web'])
})

test('run -f: mistakes are refused with file, line and field, and nothing is started', async (t) => {
  const world = createWorld(t)
  const file = world.file('p.yaml', 'processes:\n  - name: a\n    command: [touch, started]\n    ports: [eighty]\n')
  const wrong = await world.weft(['run', '-f', file])
  assert.equal(wrong.status, 1)
  assert.match(wrong.err, /p\.yaml:4: processes\[0\]\.ports\[0\]: --port is \[NAME:\]/)
  const both = await world.weft(['run', '-f', file, '--service', 'x', '--restart', 'no'])
  assert.equal(both.status, 2)
  assert.match(both.err, /--service cannot be said beside it/)
  const neither = await world.weft(['run', '--', 'true'])
  assert.equal(neither.status, 2)
  assert.match(neither.err, /--service NAME \(or -f FILE\)/)
})
