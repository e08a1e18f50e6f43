// Calls that are hedged: the same spans with Envoy and with ours, whichever attempt is first, and whichever is given up.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { startCollector } from '../world/programs/collector.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'
import { clusterAt, http2Upstream } from './bootstrap-parts.ts'
import { callersSpan, comparable, outcomes, type Outcome } from './compare-spans.ts'
import { askTraced, startProgram, type Asked } from './traced-program.ts'

const { skip } = realEnvoy()
const types = 'type.googleapis.com/envoy'
const hedged = (prefix: string, more: object = {}, retries: object = {}): object => ({
  match: { prefix },
  route: {
    cluster: 'program',
    hedge_policy: { hedge_on_per_try_timeout: true },
    retry_policy: { retry_on: '5xx', num_retries: 2, per_try_timeout: '0.2s', ...retries },
    ...more,
  },
})
const routes = [
  hedged('/short', { timeout: '0.5s' }),
  hedged('/once', {}, { num_retries: 1 }),
  hedged('/unhedged', { hedge_policy: {}, timeout: '0.5s' }),
  hedged('/'),
]

const bootstrap = (
  ports: { readonly collector: number; readonly program: number },
  listeners: Readonly<Record<string, number>>,
): object => ({
  node: { id: 'me', cluster: 'callers' },
  static_resources: {
    clusters: [clusterAt('program', ports.program), clusterAt('collector', ports.collector, http2Upstream)],
    listeners: Object.entries(listeners).map(([name, port]) => ({
      name,
      traffic_direction: 'OUTBOUND',
      address: { socket_address: { address: '127.0.0.1', port_value: port } },
      filter_chains: [
        {
          filters: [
            {
              name: 'http',
              typed_config: {
                '@type': `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                stat_prefix: name,
                http_filters: [
                  { name: 'router', typed_config: { '@type': `${types}.extensions.filters.http.router.v3.Router` } },
                ],
                route_config: { virtual_hosts: [{ name: 'v', domains: ['*'], routes }] },
                tracing: {
                  spawn_upstream_span: name === 'attempts',
                  provider: {
                    name: 'envoy.tracers.opentelemetry',
                    typed_config: {
                      '@type': `${types}.config.trace.v3.OpenTelemetryConfig`,
                      grpc_service: { envoy_grpc: { cluster_name: 'collector' }, timeout: '1s' },
                      service_name: 'shop',
                    },
                  },
                },
              },
            },
          ],
        },
      ],
    })),
  },
})

/** The program's answers to the attempts of a call: see `startProgram`. An attempt is late after 200 ms. */
const requests: readonly Asked[] = [
  ...[
    '/steps/0', // nobody is late
    '/steps/600,0', // the second is first
    '/steps/300,600', // the first is first after all
    '/steps/900,900,0', // the third is
    '/steps/300x404,600',
    '/steps/600,0x404',
    '/steps/350,0x500,600', // a bad answer does not count while there may be a better one
    '/steps/600,0x500,0', // which comes
    '/steps/300x500,600x500,0x500', // none is good
    '/steps/0x500,0', // no hedge: a retry
    '/steps/0x500,600,0', // a retry that is hedged
    '/steps/0x500,400,0x500',
    '/once/steps/500,600,0', // no third one
    '/once/steps/300,600,0',
  ].flatMap((path) => [{ path }, { path, headers: { traceparent: `${callersSpan}-01` } }]),
  { path: '/short/steps/900,900,900', status: 504 }, // none
  { path: '/unhedged/steps/900,900,900', status: 504 },
  { to: 'calls', path: '/steps/600,0' },
  { to: 'calls', path: '/once/steps/500,600' },
]

test('spans of hedged calls: the same ones as with Envoy', { skip }, async (t) => {
  const program = await startProgram()
  t.after(() => program.stop())
  const results = await Promise.all(
    [startEnvoy, startOurs].map(async (start) => {
      const collector = await startCollector()
      t.after(() => collector.stop())
      const listeners = { attempts: await freePort(), calls: await freePort() }
      const config = bootstrap({ collector: collector.port, program: program.port }, listeners)
      await start(t, config, () => askTraced(listeners.calls, { path: '/' }, 'ready'))
      return outcomes({ who: start.name, requests, otherwise: 'attempts' }, listeners, program, collector)
    }),
  )
  const [theirs, ours] = results
  assert.ok(theirs && ours)
  for (const [index, one] of theirs.entries()) {
    const own: Outcome | undefined = ours[index]
    assert.deepEqual(own && comparable(own), comparable(one), JSON.stringify(one.asked))
  }
})
