// One bootstrap, two proxies, one limiter: what is asked of it and what becomes of the requests is the same with Envoy and with ours.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test } from 'node:test'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { freePort } from '../world/free-port.ts'
import { startLimiter } from '../world/programs/limiter.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'
import { clusterAt, http2Upstream } from './bootstrap-parts.ts'

const { skip } = realEnvoy()
const types = 'type.googleapis.com/envoy.extensions'
const limitFilter = (name: string, limiter: string, more: object): object => ({
  name,
  typed_config: {
    '@type': `${types}.filters.http.ratelimit.v3.RateLimit`,
    domain: 'shop',
    timeout: '1.5s',
    rate_limit_service: { transport_api_version: 'V3', grpc_service: { envoy_grpc: { cluster_name: limiter } } },
    ...more,
  },
})
const route = (prefix: string, rate_limits: readonly object[], more: object = {}): object => ({
  match: { prefix },
  route: { cluster: 'program', rate_limits, ...more },
})
const header = { request_headers: { header_name: 'x-user', descriptor_key: 'user' } }
const optional = { request_headers: { header_name: 'x-plan', descriptor_key: 'plan', skip_if_absent: true } }
const key = { generic_key: { descriptor_value: 'search' } }

const said = { generic_key: { descriptor_key: 'said', descriptor_value: 'by the filter' } }
/** Of a stage that no filter is at, so that the host's are not asked. */
const elsewhere = [{ stage: 3, actions: [key] }]
const byRoute = (prefix: string, words: object, rate_limits: readonly object[] = elsewhere): object => ({
  ...route(prefix, rate_limits),
  typed_per_filter_config: {
    'by-route': { '@type': `${types}.filters.http.ratelimit.v3.RateLimitPerRoute`, ...words },
  },
})

const bootstrap = ({ proxy, limiter, nobody, program }: Record<string, number>): object => ({
  node: { id: 'me', cluster: 'callers' },
  static_resources: {
    clusters: [
      clusterAt('program', program ?? 0),
      clusterAt('limiter', limiter ?? 0, http2Upstream),
      clusterAt('nobody', nobody ?? 0, http2Upstream),
      clusterAt('nowhere', nobody ?? 0),
    ],
    listeners: [
      {
        name: 'l',
        address: { socket_address: { address: '127.0.0.1', port_value: proxy } },
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: {
                  '@type': `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 's',
                  http_filters: [
                    limitFilter('first', 'limiter', { enable_x_ratelimit_headers: 'DRAFT_VERSION_03' }),
                    limitFilter('open', 'nobody', { stage: 1 }),
                    limitFilter('closed', 'nobody', {
                      stage: 2,
                      failure_mode_deny: true,
                      status_on_error: { code: 'BadGateway' },
                    }),
                    { ...limitFilter('by-route', 'limiter', { rate_limits: [{ actions: [said] }] }), disabled: true },
                    { name: 'router', typed_config: { '@type': `${types}.filters.http.router.v3.Router` } },
                  ],
                  route_config: {
                    virtual_hosts: [
                      {
                        name: 'v',
                        domains: ['*'],
                        rate_limits: [
                          { actions: [{ generic_key: { descriptor_key: 'host', descriptor_value: 'v' } }] },
                        ],
                        routes: [
                          route('/user', [{ actions: [key, header, optional] }]),
                          route('/both', [{ actions: [{ remote_address: {} }] }, { actions: [header] }], {
                            include_vh_rate_limits: true,
                          }),
                          route('/clusters', [{ actions: [{ source_cluster: {} }, { destination_cluster: {} }] }]),
                          route('/if', [
                            {
                              actions: [
                                {
                                  header_value_match: {
                                    descriptor_value: 'beta',
                                    headers: [{ name: 'x-beta', string_match: { exact: 'yes' } }],
                                  },
                                },
                              ],
                            },
                            {
                              actions: [
                                {
                                  header_value_match: {
                                    descriptor_key: 'not',
                                    descriptor_value: 'beta',
                                    expect_match: false,
                                    headers: [{ name: 'x-beta', present_match: true }],
                                  },
                                },
                              ],
                            },
                          ]),
                          { ...route('/open', [{ stage: 1, actions: [key] }]) },
                          { ...route('/closed', [{ stage: 2, actions: [key] }]) },
                          byRoute('/switched', {}),
                          byRoute('/words', { domain: 'books', rate_limits: [{ actions: [header, key] }] }),
                          byRoute('/domain', { domain: 'books' }),
                          byRoute('/besides', {}, [{ actions: [header] }]),
                          { ...route('/gone', [{ actions: [header] }], { cluster: 'nowhere' }) },
                          byRoute('/in-place', { rate_limits: [{ actions: [key] }] }, [{ actions: [header] }]),
                          { match: { prefix: '/' }, route: { cluster: 'program' } },
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

interface Answer {
  readonly status: number
  readonly told: readonly unknown[]
  readonly passed: unknown
}

const ask = (port: number, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', path, headers, agent: false }, (response) => {
        const { headers: got } = response
        const names = [
          'x-envoy-ratelimited',
          'x-ratelimit-limit',
          'x-ratelimit-remaining',
          'x-ratelimit-reset',
          'x-limiter',
        ]
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString()))
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            told: names.map((name) => got[name]),
            passed: response.statusCode === 200 ? text : undefined,
          }),
        )
      })
      .on('error', reject)
  })

const requests: readonly (readonly [path: string, headers?: Readonly<Record<string, string>>])[] = [
  ['/user', { 'x-user': 'ann' }],
  ['/user', { 'x-user': 'ann', 'x-plan': 'gold' }],
  ['/user', { 'x-user': 'ann' }],
  ['/user', { 'x-user': 'ann' }],
  ['/user'],
  ['/both', { 'x-user': 'bob' }],
  ['/both'],
  ['/clusters'],
  ['/if', { 'x-beta': 'yes' }],
  ['/if', { 'x-beta': 'no' }],
  ['/if'],
  ['/user', { 'x-user': 'slow' }],
  ['/open'],
  ['/closed'],
  ['/other'],
  ['/switched'],
  ['/words', { 'x-user': 'ann' }],
  ['/words'],
  ['/besides', { 'x-user': 'eve' }],
  ['/in-place', { 'x-user': 'joe' }],
  ['/domain'],
  ['/switched'],
  ['/besides', { 'x-user': 'eve' }],
  ['/gone', { 'x-user': 'sue' }],
]

test('an external limiter: asked the same and obeyed the same as by Envoy', { skip }, async (t) => {
  const program = http.createServer((request, response) => response.end(String(request.headers['x-passed'])))
  program.listen(0, '127.0.0.1')
  await once(program, 'listening')
  t.after(() => program.close())
  const address = program.address()
  assert.ok(typeof address === 'object' && address !== null)
  const limiter = await startLimiter(0, { limit: 2, slow: { value: 'slow', ms: 5000 } })
  t.after(() => limiter.stop())
  const ports = { limiter: limiter.port, nobody: await freePort(), program: address.port }
  const results: { answers: readonly Answer[]; asked: readonly string[] }[] = []
  for (const start of [startEnvoy, startOurs]) {
    const proxy = await freePort()
    await start(t, bootstrap({ proxy, ...ports }), () => ask(proxy, '/other'))
    limiter.reset()
    limiter.asked.length = 0
    const answers: Answer[] = []
    for (const [path, headers] of requests) answers.push(await ask(proxy, path, headers))
    results.push({ answers, asked: [...limiter.asked] })
  }
  const [theirs, ours] = results
  assert.deepEqual(ours?.asked, theirs?.asked)
  for (const [index, answer] of (theirs?.answers ?? []).entries())
    assert.deepEqual(ours?.answers[index], answer, JSON.stringify(requests[index]))
  assert.deepEqual(
    theirs?.answers.map(({ status }) => status),
    [
      200, 200, 200, 429, 200, 200, 200, 200, 200, 200, 200, 200, 200, 502, 429, 200, 200, 200, 200, 200, 429, 429, 429,
      503,
    ],
  )
})
