import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fuzz, tryInput } from './fuzz.ts'
import type { Target } from './target.ts'
import { targets } from './targets/all.ts'

// A short run over everything, always the same inputs in the same order; `npm run fuzz` looks further.
for (const target of targets) {
  test(`any bytes, cut anywhere: ${target.name}`, async (t) => {
    assert.ok(target.seeds.length > 0)
    const { inputs, finding } = await fuzz(target, { seed: 1, untilMs: performance.now() + 1000 })
    t.diagnostic(`${inputs} inputs`)
    assert.equal(finding && `${finding.what}\n${JSON.stringify(finding.bytes.toString('latin1'))}`, undefined)
  })
}

test('a reader that looks at pieces, or throws, is found', async () => {
  const reader = (read: Target['read']): Target => ({ name: 'broken', seeds: [], words: [], read })
  const bytes = Buffer.from('some bytes')
  const counts = await tryInput(
    reader(async (pieces) => String(pieces.length)),
    bytes,
    1,
  )
  assert.match(counts?.what ?? '', /whole it is read as\n1$/)
  const throws = await tryInput(
    reader(async () => Promise.reject(new Error('a bug'))),
    bytes,
    1,
  )
  assert.match(throws?.what ?? '', /a bug/)
  assert.equal(
    await tryInput(
      reader(async (pieces) => Buffer.concat(pieces).toString()),
      bytes,
      1,
    ),
    undefined,
  )
})
