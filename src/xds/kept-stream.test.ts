import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import { AggregatedDiscoveryService } from './gen/envoy/service/discovery/v3/ads_pb.ts'
import { grpcCodes, grpcMethod, type GrpcConnection } from './grpc-client.ts'
import type { GrpcHandlers } from './grpc.ts'
import { keepStream } from './kept-stream.ts'

/** Connections that do what the test says, and what was heard of them. */
function scene() {
  const clock = manualClock(0)
  const opened: { handlers: GrpcHandlers<unknown>; closed: boolean; gone: (why: string) => void }[] = []
  const heard: string[] = []
  const connect = (): GrpcConnection => {
    const closed = Promise.withResolvers<string>()
    return {
      unary: () => Promise.reject(new Error('nobody asks')),
      stream(_, handlers) {
        opened.push({ handlers: handlers as GrpcHandlers<unknown>, closed: false, gone: closed.resolve })
        return { send: () => true, end() {}, cancel() {} }
      },
      closed: closed.promise,
      close() {
        const last = opened.at(-1)
        if (last !== undefined) last.closed = true
      },
    }
  }
  const kept = keepStream({
    method: grpcMethod(AggregatedDiscoveryService.method.deltaAggregatedResources),
    connect,
    begun: () => heard.push('begun'),
    message: (_, __, { first, failures }) => heard.push(`message ${first} ${failures}`),
    lost: (reason, failures) => heard.push(`${reason} ${failures}`),
    clock,
    // The longest wait each time.
    random: { unit: () => 1, below: (limit) => limit, index: () => 0 },
  })
  return { clock, opened, heard, kept }
}

test('a lost stream is followed by another, each time later, until one was good', () => {
  const { clock, opened, heard, kept } = scene()
  const lose = (): void => opened.at(-1)?.handlers.end({ code: grpcCodes.unavailable, message: 'lost' })
  assert.equal(opened.length, 1)
  lose()
  clock.advance(99)
  assert.equal(opened.length, 1)
  clock.advance(1)
  assert.equal(opened.length, 2)
  lose()
  clock.advance(199)
  assert.equal(opened.length, 2)
  clock.advance(1)
  opened.at(-1)?.handlers.message({})
  opened.at(-1)?.handlers.message({})
  assert.ok(kept.present?.heard)
  clock.advance(1000)
  lose()
  assert.deepEqual(heard, [
    'begun',
    'lost 0',
    'begun',
    'lost 1',
    'begun',
    'message true 2',
    'message false 2',
    'lost 0',
  ])
  kept.close()
  assert.equal(clock.pending, 0)
})

test('what a stream says that was renewed or closed is heard by nobody', () => {
  const { clock, opened, heard, kept } = scene()
  kept.renew()
  assert.equal(opened[0]?.closed, true)
  opened[0]?.handlers.message({})
  opened[0]?.handlers.end({ code: grpcCodes.ok, message: '' })
  kept.close()
  opened[1]?.handlers.message({})
  opened[1]?.handlers.end({ code: grpcCodes.ok, message: '' })
  kept.renew()
  clock.advance(60_000)
  assert.deepEqual(heard, ['begun', 'begun'])
  assert.equal(opened.length, 2)
})
