import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { BatchOutcome } from '../../base/batch-queue.ts'
import { silentLog } from '../../base/log.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { createExporters, type ExportPlan } from './exporters.ts'

const entry = Buffer.from('entry')
const limits = {
  batchEntries: 10,
  batchBytes: Infinity,
  mostEntries: 10,
  delayMs: 1000,
  mostWaiting: 100,
  mostBytes: 1000,
}

function build() {
  const clock = manualClock()
  const warnings: string[] = []
  const log = { ...silentLog, warn: (text: string) => void warnings.push(text) }
  const exporters = createExporters({ clock, log })
  const told: string[] = []
  const counts: Record<BatchOutcome, number> = { exported: 0, failed: 0, dropped: 0 }
  const answers: ((problem: string | undefined) => void)[] = []
  const plan = (key: string): ExportPlan => ({
    key,
    what: 'entries',
    cluster: 'c',
    limits,
    open() {
      told.push(`${key} open`)
      return {
        send(batch) {
          told.push(`${key} ${batch.length}`)
          return new Promise((resolve) => answers.push(resolve))
        },
        finish() {
          told.push(`${key} finish`)
          return Promise.resolve()
        },
        close: () => void told.push(`${key} close`),
      }
    },
    counted: (outcome, entries) => void (counts[outcome] += entries),
  })
  const answer = async (problem?: string): Promise<void> => {
    answers.shift()?.(problem)
    for (let left = 5; left > 0; left--) await turn()
  }
  return { clock, exporters, plan, told, counts, answer, warnings }
}

test('equal plans are one, opened when there is something to send', async () => {
  const { clock, exporters, plan, told, answer } = build()
  const one = exporters.of(plan('a'))
  const other = exporters.of(plan('a'))
  assert.equal(exporters.size, 0)
  one(entry)
  other(entry)
  assert.equal(exporters.size, 1)
  clock.advance(1000)
  assert.deepEqual(told, ['a open', 'a 2'])
  await answer()
})

test('what the configuration has no more sends what it has and is no more; what stays, stays', async () => {
  const { clock, exporters, plan, told, counts, answer } = build()
  exporters.of(plan('goes'))(entry)
  exporters.of(plan('stays'))(entry)
  exporters.retain(() => new Set(['stays']))
  assert.deepEqual(told, ['goes open', 'stays open', 'goes 1'])
  await answer()
  assert.deepEqual(told.slice(3), ['goes finish', 'goes close'])
  assert.equal(exporters.size, 1)
  assert.equal(counts.exported, 1)
  clock.advance(1000)
  await answer()
  assert.equal(exporters.size, 1)
})

test('a connection of an earlier configuration still tells, and leaves nothing behind', async () => {
  const { clock, exporters, plan, told, answer } = build()
  const take = exporters.of(plan('goes'))
  exporters.retain(() => new Set())
  take(entry)
  clock.advance(1000)
  await answer()
  assert.deepEqual(told, ['goes open', 'goes 1', 'goes finish', 'goes close'])
  assert.equal(exporters.size, 0)
  take(entry)
  assert.equal(exporters.size, 1)
})

test('one that comes back before it has gone stays', async () => {
  const { exporters, plan, told, answer } = build()
  exporters.of(plan('a'))(entry)
  exporters.retain(() => new Set())
  exporters.retain(() => new Set(['a']))
  await answer()
  assert.deepEqual(told, ['a open', 'a 1'])
  assert.equal(exporters.size, 1)
})

test('a collector that does not answer holds up neither the end of an exporter nor that of the proxy', async () => {
  const { clock, exporters, plan, told, counts } = build()
  const take = exporters.of(plan('a'))
  for (let left = 12; left > 0; left--) take(entry)
  let flushed = false
  void exporters.flush(2000).then(() => (flushed = true))
  clock.advance(1999)
  await turn()
  assert.equal(flushed, false)
  clock.advance(1)
  for (let left = 5; left > 0; left--) await turn()
  assert.equal(flushed, true)
  exporters.retain(() => new Set())
  clock.advance(5000)
  for (let left = 5; left > 0; left--) await turn()
  assert.deepEqual(told, ['a open', 'a 10', 'a finish', 'a close'])
  assert.deepEqual(counts, { exported: 0, failed: 0, dropped: 2 })
  assert.equal(exporters.size, 0)
})

test('closed: what is left is given up, and nothing is taken any more', async () => {
  const { exporters, plan, told, counts, clock } = build()
  const take = exporters.of(plan('a'))
  take(entry)
  exporters.close()
  take(entry)
  assert.deepEqual(told, ['a open', 'a close'])
  assert.deepEqual(counts, { exported: 0, failed: 0, dropped: 2 })
  assert.equal(clock.pending, 0)
})

test('a loss is told once, and again after it went well', async () => {
  const { exporters, plan, warnings, counts, answer } = build()
  const take = exporters.of(plan('a'))
  const batch = (): void => {
    for (let left = 10; left > 0; left--) take(entry)
  }
  for (const problem of ['down', 'down', undefined, 'down']) {
    batch()
    await answer(problem)
  }
  assert.equal(warnings.length, 2)
  assert.deepEqual(counts, { exported: 10, failed: 30, dropped: 0 })
})
