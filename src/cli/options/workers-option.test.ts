import assert from 'node:assert/strict'
import os from 'node:os'
import { test } from 'node:test'
import { readWorkers } from './workers-option.ts'

test('a number of workers, or as many as there are processors', () => {
  assert.equal(readWorkers(undefined), 1)
  assert.equal(readWorkers('3'), 3)
  assert.equal(readWorkers('auto'), Math.min(32, os.availableParallelism()))
  for (const text of ['0', '33', '-1', '1.5', 'many', '', '100'])
    assert.deepEqual(readWorkers(text), {
      wrong: `--workers is a number from 1 to 32, or auto, not ${JSON.stringify(text)}`,
    })
})
