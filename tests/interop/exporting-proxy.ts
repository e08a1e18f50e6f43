import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { TestContext } from 'node:test'
import type { BareProxy } from '../../src/proxy/run-bare.ts'
import { startBare } from '../../src/proxy/testing/start-bare.ts'
import { freePort } from '../world/free-port.ts'
import { clusterAt } from './bootstrap-parts.ts'

/** A bare proxy before a program that says "hello", and who hears of its calls. */
export interface ExportingProxy {
  readonly proxy: BareProxy
  /** How many went which way, by the counter's label `outcome`. */
  readonly counts: () => Promise<Readonly<Record<string, number>>>
  /** One call after the other; each must be answered well. */
  readonly calls: (paths: readonly string[], headers?: Readonly<Record<string, string>>) => Promise<void>
}

/** `cluster`: what else the cluster `collector`, at this port, says; `manager`: the connection manager; `counter`: the name of what counts. */
export async function startExporting(
  t: TestContext,
  collector: number,
  { cluster, manager, counter }: { readonly cluster: object; readonly manager: object; readonly counter: string },
): Promise<ExportingProxy> {
  const program = http.createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1')
  await once(program, 'listening')
  t.after(() => {
    program.close()
    program.closeAllConnections()
  })
  const at = program.address()
  assert.ok(typeof at === 'object' && at !== null)
  const port = await freePort()
  const types = 'type.googleapis.com/envoy.extensions.filters'
  const typed_config = {
    '@type': `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 's',
    http_filters: [{ name: 'router', typed_config: { '@type': `${types}.http.router.v3.Router` } }],
    route_config: {
      virtual_hosts: [
        { name: 'v', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'program' } }] },
      ],
    },
    ...manager,
  }
  const proxy = startBare(t, {
    node: { id: 'me', cluster: 'callers' },
    static_resources: {
      clusters: [clusterAt('program', at.port), clusterAt('collector', collector, cluster)],
      listeners: [
        {
          name: 'l',
          address: { socket_address: { address: '127.0.0.1', port_value: port } },
          filter_chains: [{ filters: [{ name: 'http', typed_config }] }],
        },
      ],
    },
  })
  const started = await proxy.started
  assert.ok('admin' in started && started.admin !== undefined)
  const { admin } = started
  const line = new RegExp(`^${counter}\\{.*outcome="(\\w+)".*\\} (\\d+)$`, 'gm')
  return {
    proxy,
    async counts() {
      const text = await (await fetch(`http://${admin.host}:${admin.port}/metrics`)).text()
      return Object.fromEntries(Array.from(text.matchAll(line), ([, outcome = '', count]) => [outcome, Number(count)]))
    },
    async calls(paths, headers = {}) {
      for (const path of paths) {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers })
        assert.equal(response.status, 200)
        assert.equal(await response.text(), 'hello')
      }
    },
  }
}
