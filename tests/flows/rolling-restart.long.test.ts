import { test } from 'node:test'
import { requires } from '../world/requires.ts'
import { rollUnderLoad } from './rolling-restart.ts'

for (const by of ['term', 'kill'] as const) {
  test(`rolling restart: five instances, each replaced three times by SIG${by.toUpperCase()} in a minute of load, and no GET fails`, async (t) => {
    if (!requires(t, 'curl', 'linux')) return
    await rollUnderLoad(t, { instances: 5, rounds: 3, by, ratePerSecond: 300, lastsMs: 60_000 })
  })
}
