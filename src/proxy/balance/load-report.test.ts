import { create, toBinary, type MessageInitShape } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OrcaLoadReportSchema } from '../../xds/gen/xds/data/orca/v3/orca_load_report_pb.ts'
import { headerField } from '../http/headers.ts'
import { readLoadReport } from './load-report.ts'

const read = (value: string, name = 'endpoint-load-metrics'): Record<string, number> | undefined => {
  const report = readLoadReport([headerField(name, value)])
  return report && Object.fromEntries(report)
}
const binary = (init: MessageInitShape<typeof OrcaLoadReportSchema>): string =>
  Buffer.from(toBinary(OrcaLoadReportSchema, create(OrcaLoadReportSchema, init))).toString('base64')

const wanted = {
  cpu_utilization: 0.5,
  rps_fractional: 100,
  eps: 2,
  'named_metrics.queue': 4,
  'utilization.disk': 0.25,
}

test('a load report is read in each of its forms', () => {
  const text = 'cpu_utilization=0.5, rps_fractional:100,eps=2,named_metrics.queue=4,utilization.disk=0.25'
  assert.deepEqual(read(`TEXT ${text}`), wanted)
  const json = {
    cpuUtilization: 0.5,
    rps_fractional: 100,
    eps: 2,
    namedMetrics: { queue: 4 },
    utilization: { disk: 0.25 },
  }
  assert.deepEqual(read(`JSON ${JSON.stringify(json)}`), wanted)
  const bytes = binary({ ...json, rps: 7n, rpsFractional: 100 })
  assert.deepEqual(read(`BIN ${bytes}`), wanted)
  assert.deepEqual(read(bytes, 'endpoint-load-metrics-bin'), wanted)
  assert.deepEqual(read(binary({ requestCost: { rows: 3 }, memUtilization: 1 }), 'endpoint-load-metrics-bin'), {
    'request_cost.rows': 3,
    mem_utilization: 1,
  })
})

test('what makes no sense is no report', () => {
  for (const value of [
    '',
    'cpu_utilization=1',
    'TEXT cpu_utilization',
    'TEXT cpu_utilization=much',
    'TEXT cpu_utilization=Infinity',
    'TEXT cpu_utilization=1,cpu_utilization=2',
    'TEXT temperature=40',
    'TEXT named_metrics.=1',
    'JSON {',
    'JSON 7',
    'JSON {"eps": 1e999}',
    'BIN CQ==',
  ])
    assert.equal(read(value), undefined, value)
  assert.equal(read(binary({ cpuUtilization: NaN }), 'endpoint-load-metrics-bin'), undefined)
  const cut = Buffer.from(binary({ namedMetrics: { queue: 4 } }), 'base64')
  for (let length = 1; length < cut.length; length++)
    assert.equal(read(cut.subarray(0, length).toString('base64'), 'endpoint-load-metrics-bin'), undefined, `${length}`)
  assert.equal(readLoadReport([headerField('x', 'TEXT cpu_utilization=1')]), undefined)
})
