import { test } from 'node:test'
import { passes } from './group-passes.ts'

for (const group of ['mesh-http', 'mesh-grpc'])
  test(`conformance: the ${group} group of the Gateway API suite passes`, (t) => passes(t, group))
