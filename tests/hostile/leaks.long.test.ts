import { test } from 'node:test'
import { churn } from './churn.ts'

test('after 100,000 calls that break off anyhow, no socket, stream or body is left, and memory is where it was', async (t) => {
  await churn(t, 100_000, 8_000_000)
})
