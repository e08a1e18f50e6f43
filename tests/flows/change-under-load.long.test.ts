import { test } from 'node:test'
import { changeUnderLoad } from './change-under-load.ts'

test('a route and two policies are edited under 500 requests/s through 20 sidecars: no call fails, none meets a mixture', async (t) => {
  await changeUnderLoad(t, { callers: 20, ratePerSecond: 500, edits: 40 })
})
