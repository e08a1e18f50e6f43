import { readLoadReport } from '../../../src/proxy/balance/load-report.ts'
import { headerField } from '../../../src/proxy/http/headers.ts'
import type { Target } from '../target.ts'

/** Reports of load in replies: the same bytes as text or JSON, and as a message. */
export const loadReport: Target = {
  name: 'load-report',
  seeds: [
    Buffer.from('TEXT cpu_utilization=0.5, rps_fractional:100,eps=2,named_metrics.queue=4,utilization.disk=0.25'),
    Buffer.from('JSON {"cpuUtilization":0.5,"rps_fractional":100,"namedMetrics":{"queue":4}}'),
    // cpu_utilization 0.5, named_metrics { queue: 4 }, rps_fractional 100.
    Buffer.from('09000000000000e03f42100a0571756575651100000000000010403100000000000059 40'.replaceAll(' ', ''), 'hex'),
  ],
  words: ['BIN ', 'TEXT ', 'JSON ', 'named_metrics.', '__proto__', 'NaN', '1e999', '=', ':', ','],
  read(pieces) {
    const bytes = Buffer.concat(pieces)
    const told = [
      headerField('endpoint-load-metrics', bytes.toString('latin1')),
      headerField('endpoint-load-metrics-bin', bytes.toString('base64')),
    ].map((field) => {
      const report = readLoadReport([field])
      for (const value of report?.values() ?? []) if (!Number.isFinite(value)) throw new Error(`a report says ${value}`)
      return report === undefined ? 'none' : JSON.stringify([...report])
    })
    return Promise.resolve(told.join('\n'))
  },
}
