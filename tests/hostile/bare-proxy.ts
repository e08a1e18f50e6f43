import fs from 'node:fs'
import type { Address } from '../../src/base/address.ts'
import type { Child } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'
import type { World } from '../world/world.ts'

/** `weft proxy -c` as a process of its own, with default settings, but for paths, which are one form as in every sidecar. */
export interface BareProxy {
  readonly child: Child
  readonly at: Address
  /** A page of the admin port. */
  admin(page: string): Promise<{ readonly status: number; readonly body: string }>
  /** Most bytes of memory that it has held so far. Linux only. */
  peakBytes(): number
  /** Descriptors that it has open. Linux only. */
  descriptors(): number
}

/** What the file may say beyond one HTTP listener before one cluster. */
export interface BareOptions {
  /** Put before the command line. */
  readonly prefix?: readonly string[]
  /** Endpoints beside the program. */
  readonly more?: readonly Address[]
  /** HTTP filters before the router. */
  readonly filters?: readonly object[]
  /** Of the listener. */
  readonly listenerFilters?: readonly object[]
  /** Of its filter chain. */
  readonly chain?: object
  /** Of the connection manager. */
  readonly manager?: object
  /** Of the cluster. */
  readonly cluster?: object
  /** Of the route. */
  readonly route?: object
}

const types = 'type.googleapis.com/envoy.extensions.filters'
const socketAddress = ({ host, port }: Address): object => ({ socket_address: { address: host, port_value: port } })

/** HTTP on a free port, all of it to `program`. Resolves when it serves. */
export async function startBareProxy(world: World, program: Address, options: BareOptions = {}): Promise<BareProxy> {
  const at = { host: '127.0.0.1', port: await freePort() }
  const adminAt = { host: '127.0.0.1', port: await freePort() }
  const manager = {
    '@type': `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
    stat_prefix: 'front',
    // As every sidecar has them; a file that says nothing of paths gets them as they are, as with Envoy.
    normalize_path: true,
    merge_slashes: true,
    http_filters: [
      ...(options.filters ?? []),
      { name: 'router', typed_config: { '@type': `${types}.http.router.v3.Router` } },
    ],
    route_config: {
      name: 'all',
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'program', ...options.route } }],
        },
      ],
    },
    ...options.manager,
  }
  const places = [program, ...(options.more ?? [])]
  const endpoints = [{ lb_endpoints: places.map((one) => ({ endpoint: { address: socketAddress(one) } })) }]
  const bootstrap = {
    admin: { address: socketAddress(adminAt) },
    static_resources: {
      listeners: [
        {
          name: 'front',
          address: socketAddress(at),
          listener_filters: options.listenerFilters ?? [],
          filter_chains: [{ filters: [{ name: 'http', typed_config: manager }], ...options.chain }],
        },
      ],
      clusters: [
        {
          name: 'program',
          load_assignment: { cluster_name: 'program', endpoints },
          ...options.cluster,
        },
      ],
    },
  }
  const file = world.file(`proxy-${at.port}.json`, JSON.stringify(bootstrap))
  const child = world.start('weft proxy', ['proxy', '-c', file], options)
  const admin: BareProxy['admin'] = async (page) => {
    const reply = await fetch(`http://${adminAt.host}:${adminAt.port}${page}`)
    return { status: reply.status, body: await reply.text() }
  }
  await until('the proxy is ready', async () => {
    if (!child.isRunning) throw new Error(`it has ended: ${child.out}${child.err}`)
    return (await admin('/ready')).status === 200
  })
  return {
    child,
    at,
    admin,
    peakBytes: () => 1024 * Number(/^VmHWM:\s*(\d+)/m.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]),
    descriptors: () => fs.readdirSync(`/proc/${child.pid}/fd`).length,
  }
}
