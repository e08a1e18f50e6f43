import { createServer, type Server } from 'node:net'
import { formatAddress, type Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { bindDatagrams } from './listener/datagrams.ts'
import { createProxy, type Proxy } from './proxy.ts'
import { certsAnswer, plainJson } from './sidecar-answers.ts'
import { startAdmin, type AdminServer } from './telemetry/admin.ts'
import { createLogFiles } from './telemetry/log-files.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createBootstrapFlow } from './xds/bootstrap-flow.ts'
import type { Bootstrap } from './xds/decode-bootstrap.ts'

/** What a bare proxy is made of. */
export interface BareParts {
  readonly version: string
  /** Overrides the bootstrap's. */
  readonly admin: Address | undefined
  readonly stdout: (text: string) => void
  readonly stderr: (text: string) => void
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** Where a proxy can be reached. */
export interface BareAddresses {
  readonly listeners: readonly Address[]
  readonly admin: Address | undefined
}

/** A proxy without an agent: it binds its own sockets, and its certificates come with its configuration. */
export interface BareProxy {
  /**
   * Every listener of the first whole configuration is open; with a control plane that may take long. A sentence when an address of
   * the bootstrap, or the admin's, cannot be had: nothing is left running then.
   */
  readonly started: Promise<BareAddresses | { readonly failed: string }>
  /** Stops accepting, lets calls in flight finish for at most `deadlineMs`; also before it has started. */
  drain(deadlineMs: number): Promise<void>
}

/** Starts at once. */
export function startBareProxy(bootstrap: Bootstrap, parts: BareParts): BareProxy {
  const { version, clock, random, log, stdout, stderr } = parts
  const { node } = bootstrap
  const flow = createBootstrapFlow(bootstrap, { version, clock, random, log })
  const metrics = createMetrics({ clock })
  const files = createLogFiles({
    stdout,
    stderr,
    failed: (path, reason) => log.error('cannot write an access log', { path, reason }),
  })
  const refused = Promise.withResolvers<{ readonly failed: string }>()
  const addresses: Address[] = []
  const orRefuse = async <T>(address: Address, opening: Promise<T>): Promise<T> => {
    try {
      return await opening
    } catch (error) {
      refused.resolve({ failed: `cannot listen on ${formatAddress(address)}: ${reasonOf(error)}` })
      throw error
    }
  }
  const proxy: Proxy = createProxy({
    config: flow.config,
    demand: (name) => flow.demand(name),
    identity: undefined,
    version,
    node: { ...node, version },
    async listen(address) {
      const server = await orRefuse(address, bind(address))
      addresses.push(boundTo(server) ?? address)
      return server
    },
    async listenUdp(address) {
      const socket = await orRefuse(address, bindDatagrams(address))
      addresses.push(address)
      return socket
    },
    self: { workload: node.id, namespace: '', service: node.cluster, zone: node.locality?.zone, spiffeId: undefined },
    metrics,
    accessLog: (path) => files.to(path),
    clock,
    random,
    log,
  })
  let ready = false
  const adminAddress = parts.admin ?? bootstrap.admin
  // Before the listeners: it tells why they are not open yet.
  const admin: Promise<AdminServer> | undefined =
    adminAddress && startAdmin({ on: adminAddress, ready: () => ready, answer: (what) => plainJson(answer(what)) })
  function answer(what: 'config' | 'clusters' | 'certs' | 'stats'): unknown {
    switch (what) {
      case 'stats':
        return metrics.exposition()
      case 'config':
        return { config: flow.config.value, state: flow.state() }
      case 'clusters':
        return proxy.describeClusters()
      case 'certs':
        return certsAnswer(undefined, flow.config.value)
    }
  }
  const drain = async (deadlineMs: number): Promise<void> => {
    ready = false
    await proxy.drain(deadlineMs)
    flow.close()
    metrics.close()
    await files.close()
    await admin?.then((server) => server.close()).catch(() => {})
  }
  const start = async (): Promise<BareAddresses | { readonly failed: string }> => {
    let adminServer: AdminServer | undefined
    try {
      adminServer = await admin
    } catch (error) {
      const at = adminAddress === undefined ? '' : formatAddress(adminAddress)
      return { failed: `cannot open the admin port ${at}: ${reasonOf(error)}` }
    }
    // A listener that comes later by ADS and cannot be opened ends nothing.
    const failure = await Promise.race([Promise.all([flow.ready, proxy.ready]).then(() => undefined), refused.promise])
    if (failure !== undefined) return failure
    ready = true
    return { listeners: addresses, admin: adminServer?.address }
  }
  const started = start().then(async (result) => {
    if ('failed' in result) await drain(0)
    return result
  })
  return { started, drain }
}

function bind({ host, port }: Address): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve(server)
    })
  })
}

function boundTo(server: Server): Address | undefined {
  const address = server.address()
  return typeof address === 'object' && address !== null ? { host: address.address, port: address.port } : undefined
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'EADDRINUSE') return 'another program has it'
  if (code === 'EACCES') return 'this user may not'
  if (code === 'EADDRNOTAVAIL') return 'this machine has no such address'
  return error instanceof Error ? error.message : String(error)
}
