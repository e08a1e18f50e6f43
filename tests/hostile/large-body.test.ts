import { test } from 'node:test'
import { largeBodies } from './large-body.ts'

test('1 GB, half of it each way, passes in constant memory, and a slow reader slows the writer', (t) =>
  largeBodies(t, 500_000_000))
