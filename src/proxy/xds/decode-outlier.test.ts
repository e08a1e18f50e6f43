import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster_DiscoveryType, ClusterSchema } from '../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts'
import type { OutlierDetectionSchema } from '../../xds/gen/envoy/config/cluster/v3/outlier_detection_pb.ts'
import { decode, ms, problem, type Init } from './testing/decoding.ts'
import { ads } from './testing/resources.ts'

const withRules = (outlierDetection: Init<typeof OutlierDetectionSchema>): Init<typeof ClusterSchema> => ({
  name: 'x',
  clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.EDS },
  edsClusterConfig: { edsConfig: ads },
  outlierDetection,
})

test('outlier detection: what the .proto says where nothing is said', () => {
  assert.deepEqual(decode('CDS', ClusterSchema, withRules({})).outlierDetection, {
    consecutive5xx: { limit: 5, enforcingPercent: 100 },
    consecutiveGatewayFailure: { limit: 5, enforcingPercent: 0 },
    consecutiveLocalOriginFailure: { limit: 5, enforcingPercent: 100 },
    split: false,
    intervalMs: 10_000,
    baseEjectionMs: 30_000,
    maxEjectionMs: 300_000,
    jitterMs: 0,
    maxEjectionPercent: 10,
    passedCheckReturns: true,
    alwaysEjectOne: false,
    statistics: {
      successRate: {
        minimumHosts: 5,
        requestVolume: 100,
        stdevFactor: 1.9,
        enforcingPercent: 100,
        enforcingLocalPercent: 0,
      },
      failurePercentage: {
        minimumHosts: 5,
        requestVolume: 50,
        threshold: 85,
        enforcingPercent: 0,
        enforcingLocalPercent: 0,
      },
    },
  })
})

test('outlier detection: every field', () => {
  const { outlierDetection } = decode(
    'CDS',
    ClusterSchema,
    withRules({
      consecutive5xx: 0,
      consecutiveGatewayFailure: 2,
      enforcingConsecutiveGatewayFailure: 50,
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailure: 3,
      enforcingConsecutiveLocalOriginFailure: 60,
      enforcingLocalOriginSuccessRate: 70,
      enforcingFailurePercentage: 80,
      enforcingFailurePercentageLocalOrigin: 90,
      maxEjectionTimeJitter: ms(500),
      baseEjectionTime: ms(400_000),
    } as Init<typeof OutlierDetectionSchema>),
  )
  assert.ok(outlierDetection?.statistics)
  assert.equal(outlierDetection.consecutive5xx.limit, Infinity)
  assert.deepEqual(outlierDetection.consecutiveGatewayFailure, { limit: 2, enforcingPercent: 50 })
  assert.deepEqual(outlierDetection.consecutiveLocalOriginFailure, { limit: 3, enforcingPercent: 60 })
  assert.deepEqual([outlierDetection.split, outlierDetection.jitterMs], [true, 500])
  assert.equal(outlierDetection.maxEjectionMs, 400_000, 'never shorter than the base')
  const { successRate, failurePercentage } = outlierDetection.statistics
  assert.deepEqual([successRate.enforcingPercent, successRate.enforcingLocalPercent], [100, 70])
  assert.deepEqual([failurePercentage.enforcingPercent, failurePercentage.enforcingLocalPercent], [80, 90])
})

test('outlier detection: without a rule that compares endpoints nothing is counted for it', () => {
  assert.equal(
    decode('CDS', ClusterSchema, withRules({ enforcingSuccessRate: 0 })).outlierDetection?.statistics,
    undefined,
  )
})

test('outlier detection: what makes no sense is refused', () => {
  const refused = (rules: Init<typeof OutlierDetectionSchema>) => problem('CDS', ClusterSchema, withRules(rules))
  assert.match(refused({ enforcingConsecutive5xx: 101 }), /enforcing_consecutive_5xx: expected 0 to 100, got 101/)
  assert.match(refused({ interval: ms(0) }), /outlier_detection\.interval: expected more than 0/)
  assert.match(refused({ detectDegradedHosts: true }), /detect_degraded_hosts: is not supported/)
})
