import { test } from 'node:test'
import { changeUnderLoad } from './change-under-load.ts'

test('a route and two policies are edited under load: no call fails, none meets a mixture, and --wait tells the truth', async (t) => {
  await changeUnderLoad(t, { callers: 4, ratePerSecond: 100, edits: 8 })
})
