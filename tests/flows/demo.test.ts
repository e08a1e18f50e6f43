import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createWorld } from '../world/world.ts'

test('weft demo --check: the sample mesh shows each of the six operations', async (t) => {
  const world = createWorld(t)
  const { status, out, err } = await world.weft(['demo', '--check'], { withinMs: 150_000 })
  assert.equal(status, 0, `${out}${err}`)
  for (const operation of ['deployment', 'discovery', 'routing', 'security', 'observability', 'recovery'])
    assert.match(out, new RegExp(operation, 'i'))
})

test('weft demo: Ctrl-C takes everything away', async (t) => {
  const world = createWorld(t)
  const demo = world.start('weft demo', ['demo'])
  await demo.said(/storefront/i, { withinMs: 30_000 })
  demo.signal('SIGINT')
  const status = await demo.ended
  assert.ok(status === 0 || status === 130, `it ended with ${status}: ${demo.err}`)
})
