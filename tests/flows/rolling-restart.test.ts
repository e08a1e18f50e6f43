import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { rollUnderLoad } from './rolling-restart.ts'

for (const by of ['term', 'kill'] as const) {
  test(`rolling restart: every instance is replaced once by SIG${by.toUpperCase()} under load, and no GET fails`, async (t) => {
    if (!requires(t, 'curl', 'linux')) return
    await rollUnderLoad(t, { instances: 3, rounds: 1, by, ratePerSecond: 200, lastsMs: 0 })
  })
}
