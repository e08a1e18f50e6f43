import fs from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import type { Deed } from './backends.ts'

/** One request of a case, as it stands in its file. */
export interface CaseRequest {
  readonly to?: string
  readonly send?: string
  readonly headers?: readonly string[]
  readonly body?: string
  readonly trailers?: Readonly<Record<string, string>>
  readonly h2?: boolean
  readonly tls?: {
    readonly sni?: string
    readonly alpn?: readonly string[]
    readonly as?: 'client' | 'stranger' | 'imposter'
  }
  /** Parts that are sent one after the other. */
  readonly raw?: string | readonly string[]
  /** Replies to wait for. */
  readonly replies?: number
  readonly tunnel?: string
  readonly tcp?: string
  readonly repeat?: number
  readonly do?: Deed
  readonly own?: boolean
  /** Why the connection may end otherwise. */
  readonly ends?: string
  /** Where Weft means to differ: what it answers, and why. The rest is not compared. */
  readonly weft?: { readonly status?: number; readonly rest?: string; readonly reason: string }
  readonly expect?: Expectation
}

/** What must be true of both, so that two equal failures are no success. */
export interface Expectation {
  readonly status?: number
  readonly backend?: string
  /** The address that the backend was called from. */
  readonly from?: string
  readonly path?: string
  readonly authority?: string
  readonly reply?: Readonly<Record<string, string | null>>
  readonly seen?: Readonly<Record<string, string | null>>
  readonly attempts?: number
  /** With `repeat`: of which backend how many, in proportion. */
  readonly shares?: Readonly<Record<string, number>>
  /** How long it must take, to the end of the answer. */
  readonly at_least_ms?: number
}

/** What is compared of an access log. */
export interface LogSpec {
  /** So many there must be. */
  readonly lines: number
  /** Names whose values are their own (JSON: of the object; text: as in `name=value`); whether there is one is compared. */
  readonly any?: readonly string[]
  /** Names where Weft means to differ, and why. Not compared. */
  readonly differ?: Readonly<Record<string, string>>
}

type Json = Readonly<Record<string, unknown>>

/** One file of `cases/`. */
export interface Case {
  readonly name: string
  readonly about: string
  readonly listeners: Readonly<Record<string, ListenerSpec>>
  readonly clusters?: readonly Json[]
  readonly requests: readonly CaseRequest[]
  /** Requests are made one after the other. */
  readonly in_order?: boolean
  /** By the name that they have as `${log.NAME}`. */
  readonly logs?: Readonly<Record<string, LogSpec>>
}

interface ListenerSpec {
  readonly routes?: readonly unknown[]
  readonly virtual_hosts?: readonly unknown[]
  readonly table?: Json
  readonly manager?: Json
  readonly http_filters?: readonly unknown[]
  readonly filters?: readonly unknown[]
  readonly filter_chains?: readonly Json[]
  readonly listener?: Json
  readonly chain?: Json
}

const folder = path.join(import.meta.dirname, 'cases')

/** All cases, or those whose names are given; `${…}` is replaced before the file is read. */
export function loadCases(
  names: readonly string[] | undefined,
  values: Readonly<Record<string, string>>,
): readonly Case[] {
  return fs
    .readdirSync(folder)
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => path.basename(file, '.yaml'))
    .filter((name) => names === undefined || names.includes(name))
    .toSorted()
    .map((name) => {
      const text = fs.readFileSync(path.join(folder, `${name}.yaml`), 'utf8')
      // Ports of listeners are each proxy's own, and so are logs: they are filled in last.
      const filled = text
        .replaceAll(/\$\{log\.([\w-]+)\}/g, `\${logs}/${name}.$1`)
        .replaceAll(/\$\{((?:backend|file|session)\.[\w-]+)\}/g, (_, key: string) => {
          const value = values[key]
          if (value === undefined) throw new Error(`${name}.yaml: there is no ${key}`)
          return value
        })
      return { name, ...(parse(filled, { merge: true }) as Omit<Case, 'name'>) }
    })
}

/** The name that a listener of a case has in the bootstrap. */
export const listenerName = (one: Case, name: string): string => `${one.name}.${name}`

const types = 'type.googleapis.com/envoy.extensions.'
const options = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'

/** A typed_config; the type without "envoy.extensions.". */
const typed = (name: string, type: string, config: Json): Json => ({
  name,
  typed_config: { '@type': `${types}${type}`, ...config },
})

/** The bootstrap of these cases; `portOf` gives each listener, and "admin", its port; `logs` is the folder of the logs. */
export function bootstrapOf(
  cases: readonly Case[],
  backends: Readonly<Record<string, number>>,
  portOf: (listener: string) => number,
  logs: string,
): Json {
  const address = (port: number): Json => ({ socket_address: { address: '127.0.0.1', port_value: port } })
  const cluster = (name: string, port: number, more: Json = {}): Json => ({
    name,
    type: 'STATIC',
    connect_timeout: '5s',
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint: { address: address(port) } }] }] },
    ...more,
  })
  const h2 = {
    typed_extension_protocol_options: {
      [options]: { '@type': `type.googleapis.com/${options}`, explicit_http_config: { http2_protocol_options: {} } },
    },
  }
  const listeners = cases.flatMap((one) =>
    Object.entries(one.listeners).map(([name, spec]) => {
      const full = listenerName(one, name)
      return {
        name: full,
        address: address(portOf(full)),
        filter_chains: spec.filter_chains?.map(expandChain) ?? [
          { filters: spec.filters ?? [manager(spec)], ...spec.chain },
        ],
        ...spec.listener,
      }
    }),
  )
  const given = ['a', 'b', 'c', 'tcp-a', 'tcp-b'].map((name) => cluster(name, backends[name] ?? 0))
  // Half of the proxies like these are where they are. Nobody calls them.
  const ourselves = {
    name: 'ourselves',
    type: 'STATIC',
    load_assignment: {
      cluster_name: 'ourselves',
      endpoints: ['a', 'a', 'b', 'c'].map((zone, index) => ({
        locality: { region: 'eu', zone },
        lb_endpoints: [{ endpoint: { address: address(index + 10) } }],
      })),
    },
  }
  const bootstrap = {
    node: { id: 'differential', cluster: 'tests', locality: { region: 'eu', zone: 'a' } },
    cluster_manager: { local_cluster_name: 'ourselves' },
    admin: { address: address(portOf('admin')) },
    static_resources: {
      listeners,
      clusters: [
        ...given,
        ourselves,
        cluster('h2', backends['h2'] ?? 0, h2),
        // Nobody listens on the discard port.
        cluster('nowhere', 9),
        ...cases.flatMap(({ clusters = [] }) => clusters),
      ],
    },
  }
  const text = JSON.stringify(bootstrap)
    .replaceAll(/"?\$\{port\.([\w.-]+)\}"?/g, (_, name: string) => String(portOf(name)))
    .replaceAll('${logs}', logs)
  return JSON.parse(text) as Json
}

/** A chain may be written with `http` in place of its filters. */
function expandChain({ http, ...chain }: Json): Json {
  return http === undefined ? chain : { filters: [manager(http as ListenerSpec)], ...chain }
}

function manager({
  routes,
  virtual_hosts: hosts,
  table,
  http_filters: filters = [],
  manager: more,
}: ListenerSpec): Json {
  return typed('http', 'filters.network.http_connection_manager.v3.HttpConnectionManager', {
    stat_prefix: 'case',
    route_config: {
      name: 'routes',
      virtual_hosts: hosts ?? [{ name: 'all', domains: ['*'], routes: routes ?? [] }],
      ...table,
    },
    http_filters: [...filters, typed('router', 'filters.http.router.v3.Router', {})],
    ...more,
  })
}
