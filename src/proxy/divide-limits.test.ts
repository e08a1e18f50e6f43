import assert from 'node:assert/strict'
import { test } from 'node:test'
import { settable } from '../base/watchable.ts'
import { dividedConfig, partOf } from './divide-limits.ts'
import { buildCluster, buildConfig, buildInbound } from './testing/build-config.ts'

test('parts add up to the whole, and nobody has none', () => {
  for (const count of [1, 2, 3, 7])
    for (const limit of [1, 2, 3, 7, 10, 1024, 1025]) {
      const parts = Array.from({ length: count }, (_, index) => partOf(limit, { index, count }))
      assert.ok(
        parts.every((part) => part >= 1),
        `${limit} among ${count}: ${parts.join()}`,
      )
      if (limit >= count)
        assert.equal(
          parts.reduce((sum, part) => sum + part, 0),
          limit,
        )
    }
  assert.equal(partOf(0, { index: 1, count: 2 }), 0, 'nothing stays nothing')
  assert.equal(partOf(Infinity, { index: 1, count: 2 }), Infinity)
})

test('clusters, rates and concurrency are divided; what did not change stays the same object', () => {
  const at = { host: '127.0.0.1', port: 1 }
  const origin = undefined
  const rate = { burst: 3, perSecond: 10 }
  const listener = buildInbound(at, 'program', {
    filters: [
      {
        kind: 'rate-limit',
        name: 'l',
        limit: {
          name: 'l',
          rate,
          keyed: { by: 'caller', rate, maxKeys: 5 },
          status: 429,
          resourceExhausted: false,
          tellsAll: false,
          retryAfter: false,
          origin,
        },
      },
      {
        kind: 'adaptive-concurrency',
        limit: {
          percentile: 0.5,
          maxConcurrency: 101,
          minConcurrency: 1,
          updateMs: 100,
          baseline: { intervalMs: 1000, requests: 50, jitter: 0.1, buffer: 0.25 },
          status: 503,
          origin,
        },
      },
    ],
  })
  const cluster = buildCluster('program', [at])
  const source = settable(buildConfig({ listeners: [listener], clusters: [cluster] }))
  const divided = dividedConfig(source, { index: 1, count: 2 })
  const clusterNow = (): unknown => divided.value.clusters.get('program')
  const limits = divided.value.clusters.get('program')?.limits
  assert.deepEqual(limits, {
    ...cluster.limits,
    maxConnections: partOf(cluster.limits.maxConnections, { index: 1, count: 2 }),
    maxPendingRequests: partOf(cluster.limits.maxPendingRequests, { index: 1, count: 2 }),
    maxRequests: partOf(cluster.limits.maxRequests, { index: 1, count: 2 }),
    minRetryConcurrency: partOf(cluster.limits.minRetryConcurrency, { index: 1, count: 2 }),
  })
  const terminal = divided.value.listeners.get(listener.name)?.filterChains[0]?.terminal
  const kept = terminal?.kind === 'http' ? terminal.filters : []
  const [limit, adaptive] = kept.filter(({ kind }) => kind !== 'authorize')
  assert.ok(limit?.kind === 'rate-limit' && adaptive?.kind === 'adaptive-concurrency')
  assert.deepEqual(limit.limit?.rate, { burst: 1, perSecond: 5 })
  assert.deepEqual(limit.limit?.keyed?.rate, { burst: 1, perSecond: 5 })
  assert.deepEqual([adaptive.limit.maxConcurrency, adaptive.limit.minConcurrency], [50, 1])
  const before = clusterNow()
  source.set({ ...source.value, listeners: new Map() })
  assert.equal(clusterNow(), before)
  assert.equal(divided.value.listeners.size, 0)
})
