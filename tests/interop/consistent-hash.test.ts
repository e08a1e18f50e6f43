// Ring and Maglev table are Envoy's, place by place: a service whose clients are partly Envoys keeps its sessions.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import { systemClock } from '../../src/base/clock.ts'
import { seeded } from '../../src/base/random.ts'
import { realEnvoy } from '../../src/base/testing/real-envoy.ts'
import { xxHash64 } from '../../src/base/xx-hash.ts'
import { createBalancer } from '../../src/proxy/balance/balancer.ts'
import { createEndpointStates } from '../../src/proxy/balance/endpoint-state.ts'
import type { LoadBalancing } from '../../src/proxy/config.ts'
import { buildCluster, buildEndpoint } from '../../src/proxy/testing/build-config.ts'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'

const { binary, skip } = realEnvoy()
const policies: readonly (readonly [string, LoadBalancing])[] = [
  ['RING_HASH', { kind: 'ring-hash', minSize: 1024, maxSize: 8_388_608 }],
  ['MAGLEV', { kind: 'maglev', tableSize: 65_537 }],
]
const weights = [1, 2, 1, 3, 5]

test('the same key finds the same endpoint in Envoy', { skip }, async (t) => {
  const ports = await Promise.all(weights.map(() => backend(t)))
  const listens = await Promise.all(policies.map(() => freePort()))
  await envoy(t, listens, ports)
  for (const [index, [name, loadBalancing]] of policies.entries()) {
    const endpoints = ports.map((port, at) => ({
      ...buildEndpoint({ host: '127.0.0.1', port }),
      weight: weights[at] ?? 1,
    }))
    const cluster = { ...buildCluster(name, [], { loadBalancing }), endpoints }
    const balancer = createBalancer(cluster, createEndpointStates(), seeded(1), systemClock)
    for (let key = 0; key < 200; key++) {
      const ours = balancer.pick([], 0, xxHash64(`user-${key}`))?.endpoint.address.port
      assert.equal(await ask(listens[index] ?? 0, `user-${key}`), ours, `${name}, user-${key}`)
    }
  }
})

/** Says which port it has. */
async function backend(t: TestContext): Promise<number> {
  const server = http.createServer((_, response) => {
    response.end(String((server.address() as AddressInfo).port))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return (server.address() as AddressInfo).port
}

const ask = (port: number, user: string): Promise<number> =>
  new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', headers: { 'x-user': user } }, (response) => {
        let text = ''
        response.on('data', (chunk: Buffer) => (text += chunk.toString())).on('end', () => resolve(Number(text)))
      })
      .on('error', reject)
  })

async function envoy(t: TestContext, listens: readonly number[], ports: readonly number[]): Promise<void> {
  const address = (port: number) => ({ socket_address: { address: '127.0.0.1', port_value: port } })
  const config = {
    static_resources: {
      clusters: policies.map(([name]) => ({
        name,
        type: 'STATIC',
        lb_policy: name,
        load_assignment: {
          cluster_name: name,
          endpoints: [
            {
              lb_endpoints: ports.map((port, index) => ({
                endpoint: { address: address(port) },
                load_balancing_weight: weights[index],
              })),
            },
          ],
        },
      })),
      listeners: policies.map(([name], index) => ({
        name,
        address: address(listens[index] ?? 0),
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: {
                  '@type':
                    'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
                  stat_prefix: name,
                  http_filters: [
                    {
                      name: 'router',
                      typed_config: {
                        '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
                      },
                    },
                  ],
                  route_config: {
                    virtual_hosts: [
                      {
                        name,
                        domains: ['*'],
                        routes: [
                          {
                            match: { prefix: '/' },
                            route: { cluster: name, hash_policy: [{ header: { header_name: 'x-user' } }] },
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
      })),
    },
  }
  const flags = ['--use-dynamic-base-id', '--concurrency', '1', '--log-level', 'critical']
  const child = spawn(binary, [...flags, '--config-yaml', JSON.stringify(config)], { stdio: 'ignore' })
  t.after(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  await until('Envoy answers', async () => {
    const answers = await Promise.all(listens.map((port) => ask(port, 'x').catch(() => 0)))
    return answers.every((port) => port > 0)
  })
}
