import { test } from 'node:test'
import { churn } from './churn.ts'

test('after 1,500 calls that break off anyhow, no socket, stream or body is left', async (t) => {
  await churn(t, 1500, 4_000_000)
})
