// One bootstrap, two proxies: what is limited and what is made to fail gets the same answers from Envoy and from ours.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'
import { startOurs } from './bare-proxy.ts'

const { binary, skip } = realEnvoy()
const types = 'type.googleapis.com/envoy.extensions.filters'
const all = { default_value: { numerator: 100 } }
const bucket = { max_tokens: 2, tokens_per_fill: 2, fill_interval: '3600s' }

const rateLimit = {
  '@type': `${types}.http.local_ratelimit.v3.LocalRateLimit`,
  stat_prefix: 'limit',
  token_bucket: bucket,
  filter_enabled: all,
  filter_enforced: all,
  descriptors: [{ entries: [{ key: 'key' }], token_bucket: bucket }],
  rate_limits: [{ actions: [{ request_headers: { header_name: 'x-user', descriptor_key: 'key' } }] }],
  max_dynamic_descriptors: 100,
  always_consume_default_token_bucket: false,
  enable_x_ratelimit_headers: 'DRAFT_VERSION_03',
  enable_retry_after_header: true,
}
const fault = {
  '@type': `${types}.http.fault.v3.HTTPFault`,
  abort: { http_status: 418, percentage: { numerator: 100 } },
  headers: [{ name: 'x-test', string_match: { exact: 'yes' } }],
}
const bootstrap = (port: number): object => ({
  static_resources: {
    listeners: [
      {
        name: 'l',
        address: { socket_address: { address: '127.0.0.1', port_value: port } },
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: {
                  '@type': `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 's',
                  http_filters: [
                    { name: 'limit', typed_config: rateLimit },
                    {
                      name: 'envoy.filters.http.fault',
                      typed_config: { '@type': `${types}.http.fault.v3.HTTPFault` },
                    },
                    { name: 'router', typed_config: { '@type': `${types}.http.router.v3.Router` } },
                  ],
                  route_config: {
                    virtual_hosts: [
                      {
                        name: 'v',
                        domains: ['*'],
                        routes: [
                          {
                            match: { prefix: '/' },
                            direct_response: { status: 200 },
                            typed_per_filter_config: { 'envoy.filters.http.fault': fault },
                          },
                        ],
                      },
                    ],
                  },
                },
              },
            ],
          },
        ],
      },
    ],
  },
})

test('limits by header and faults on purpose: the same answers as from Envoy', { skip }, async (t) => {
  const [theirs, ours] = [await freePort(), await freePort()]
  await startEnvoy(t, theirs)
  await startOurs(t, bootstrap(ours))
  const requests: readonly Readonly<Record<string, string>>[] = [
    ...['ann', 'ann', 'ann', 'bob', 'bob', 'bob'].map((user) => ({ 'x-user': user })),
    {},
    {},
    {},
    { 'x-user': 'eve', 'x-test': 'yes' },
    { 'x-user': 'eve', 'x-test': 'no' },
    { 'x-user': 'eve', 'x-test': 'yes' },
  ]
  const statuses: number[] = []
  for (const headers of requests) {
    const expected = await ask(theirs, headers)
    const found = await ask(ours, headers)
    // Ours tells what is left only with replies of others.
    if (expected.status === 418) assert.equal(found.status, 418)
    else assert.deepEqual(found, expected, JSON.stringify(headers))
    statuses.push(expected.status)
  }
  assert.deepEqual(statuses, [200, 200, 429, 200, 200, 429, 200, 200, 429, 418, 200, 429])
})

interface Answer {
  readonly status: number
  readonly limit: readonly unknown[]
}

/** A second more or less between two proxies is none of theirs. */
const aboutMinutes = (value: unknown): number | undefined =>
  value === undefined ? undefined : Math.round(Number(value) / 60)

const ask = (port: number, headers: Readonly<Record<string, string>>): Promise<Answer> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', headers }, (response) => {
        const { headers: got } = response
        const limit = [
          got['x-ratelimit-limit'],
          got['x-ratelimit-remaining'],
          aboutMinutes(got['x-ratelimit-reset']),
          aboutMinutes(got['retry-after']),
        ]
        response.resume().on('end', () => resolve({ status: response.statusCode ?? 0, limit }))
      })
      .on('error', reject)
  })

async function startEnvoy(t: TestContext, port: number): Promise<void> {
  const child = spawn(
    binary,
    ['--config-yaml', JSON.stringify(bootstrap(port)), '--concurrency', '1', '--use-dynamic-base-id', '-l', 'error'],
    { stdio: 'ignore' },
  )
  const gone = once(child, 'exit')
  t.after(async () => {
    child.kill('SIGKILL')
    await gone
  })
  // Its own bucket: nobody else is called so.
  await until('Envoy answers', async () => (await ask(port, { 'x-user': 'waiting', 'x-test': 'yes' })).status > 0)
}
