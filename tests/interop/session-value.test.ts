// A cookie of ours that ends when nobody uses it says more than Envoy's own; an Envoy beside us goes by it all the same.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { writeSession } from '../../src/proxy/filter/session-value.ts'
import { freePort } from '../world/free-port.ts'
import { startEnvoy } from './bare-envoy.ts'
import { startOurs } from './bare-proxy.ts'

const { skip } = realEnvoy()
const types = 'type.googleapis.com/envoy.extensions'

const bootstrap = (port: number, backends: readonly number[]): object => ({
  static_resources: {
    clusters: [
      {
        name: 'program',
        load_assignment: {
          cluster_name: 'program',
          endpoints: [
            {
              lb_endpoints: backends.map((one) => ({
                endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: one } } },
              })),
            },
          ],
        },
      },
    ],
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
                  '@type': `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
                  stat_prefix: 's',
                  http_filters: [
                    {
                      name: 'session',
                      typed_config: {
                        '@type': `${types}.filters.http.stateful_session.v3.StatefulSession`,
                        session_state: {
                          name: 'envoy.http.stateful_session.cookie',
                          typed_config: {
                            '@type': `${types}.http.stateful_session.cookie.v3.CookieBasedSessionState`,
                            cookie: { name: 'cart', path: '/', ttl: '60s' },
                          },
                        },
                      },
                    },
                    { name: 'router', typed_config: { '@type': `${types}.filters.http.router.v3.Router` } },
                  ],
                  route_config: {
                    virtual_hosts: [
                      {
                        name: 'v',
                        domains: ['*'],
                        routes: [{ match: { prefix: '/' }, route: { cluster: 'program' } }],
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

async function backend(t: TestContext): Promise<number> {
  const server = http.createServer((_request, response) => response.end(String((server.address() as AddressInfo).port)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

async function ask(port: number, cookie: string): Promise<{ at: number; told: boolean }> {
  const reply = await fetch(`http://127.0.0.1:${port}/`, { headers: { cookie, connection: 'close' } })
  return { at: Number(await reply.text()), told: reply.headers.has('set-cookie') }
}

test(
  'cookies of sessions that end by idleness mean the same to Envoy, and are over when they say so',
  { skip },
  async (t) => {
    const backends = [await backend(t), await backend(t), await backend(t)]
    const nowS = Math.floor(systemClock.wallMs() / 1000)
    for (const start of [startEnvoy, startOurs]) {
      const port = await freePort()
      await start(t, bootstrap(port, backends), () => ask(port, '').catch(() => undefined))
      const brought = (at: number, untilS: number): string =>
        `cart="${writeSession('cookie', { address: `127.0.0.1:${at}`, untilS, atMostS: nowS + 1000 })}"`
      for (const at of backends)
        for (let count = 0; count < 5; count++)
          assert.deepEqual(await ask(port, brought(at, nowS + 100)), { at, told: false }, start.name)
      const [first = 0] = backends
      assert.equal((await ask(port, brought(first, nowS - 1))).told, true, `${start.name}: it was not used in time`)
    }
  },
)
