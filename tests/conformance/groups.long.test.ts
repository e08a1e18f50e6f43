import { test } from 'node:test'
import { passes } from './group-passes.ts'

test('conformance: the gateway-grpc group of the Gateway API suite passes', (t) => passes(t, 'gateway-grpc'))
