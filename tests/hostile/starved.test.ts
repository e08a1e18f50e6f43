import { test } from 'node:test'
import { starved } from './starved.ts'

test('39: a sidecar with a tenth of a core for 8 s keeps checks and configuration, and ejects nobody', (t) =>
  starved(t, 8))
