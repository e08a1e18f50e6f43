import { test } from 'node:test'
import { largeBodies } from './large-body.ts'

test('10 GB each way pass in constant memory', (t) => largeBodies(t, 10_000_000_000))
