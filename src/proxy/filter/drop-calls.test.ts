import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { faultStatus, flagOf } from '../http/fault.ts'
import { isFault } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { dropCalls } from './drop-calls.ts'

test('each category refuses its share of the calls that are left; where nothing is said there is no layer', async () => {
  assert.equal(dropCalls({ name: 'x' }, seeded(1)), undefined)
  const drops = [
    { category: 'throttle', share: 0.5 },
    { category: 'lb', share: 0.2 },
  ]
  let sent = 0
  const service = dropCalls({ name: 'x', drops }, seeded(1))?.(async () => (sent++, makeReply()))
  const refused: Record<string, number> = {}
  for (let one = 0; one < 2_000; one++) {
    const answer = await service?.(makeCall())
    if (answer === undefined || !isFault(answer)) continue
    assert.ok(answer.kind === 'dropped')
    assert.deepEqual([faultStatus(answer), flagOf[answer.kind], answer.retry], [503, 'DO', 'never'])
    refused[answer.category] = (refused[answer.category] ?? 0) + 1
  }
  assert.ok(Math.abs((refused['throttle'] ?? 0) - 1_000) < 100, JSON.stringify(refused))
  assert.ok(Math.abs((refused['lb'] ?? 0) - 200) < 60, JSON.stringify(refused))
  assert.ok(Math.abs(sent - 800) < 100, `${sent}`)
})
