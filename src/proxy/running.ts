import type { Server } from 'node:net'
import type { Address } from '../base/address.ts'
import { decode } from '../base/decode.ts'
import type { Figures } from '../base/figures.ts'
import type { Log } from '../base/log.ts'
import { thisMachine } from '../base/machine.ts'
import type { Settable } from '../base/watchable.ts'
import type { DatagramCarrier } from './carried-datagrams.ts'
import type { DnsServer, ReceivingDatagrams } from './dns/serve-dns.ts'
import { explainRequest } from './explain/request.ts'
import type { HandedOver } from './handed-over.ts'
import type { Inside } from './inside.ts'
import { probeRequest } from './probe.ts'
import { createProxy, type ProxyParts } from './proxy.ts'
import type { SidecarParts } from './sidecar-parts.ts'
import { certsAnswer, plainJson } from './sidecar-answers.ts'
import type { IdentityMaterial, ToSidecar, WorkerPart } from './sidecar-messages.ts'
import type { Spread } from './spread.ts'
import { startDns } from './start-dns.ts'
import { startAdmin, type AdminServer } from './telemetry/admin.ts'
import { createLogFiles } from './telemetry/log-files.ts'
import { createMetrics } from './telemetry/metrics.ts'
import type { Worker } from './worker.ts'
import type { ConfigFlow } from './xds/config-flow.ts'
import { createQuotaClient, type QuotaClientParts } from './xds/quota-client.ts'

/** What a process is to do, whoever said so. */
export interface Plan {
  readonly flow: ConfigFlow
  /** Undefined: certificates come with the configuration. */
  readonly identity: Settable<IdentityMaterial> | undefined
  readonly self: ProxyParts['self']
  /** Undefined: it is alone. */
  readonly worker: Worker | undefined
  readonly adminAddress: Address | undefined
  readonly dnsAddress: Address | undefined
  /** Where shares of budgets are dealt; undefined: nowhere. */
  readonly quotaSource: Pick<QuotaClientParts, 'connect' | 'nodeId'> | undefined
  readonly connectInside: boolean
  readonly standBy: { readonly demanded: readonly string[] } | undefined
  readonly log: Log
}

/** What can be asked of a process by one word. */
export type PlainQuestion = Exclude<Extract<ToSidecar, { kind: 'ask' }>['what'], 'explain' | 'probe' | 'part'>

/** From `start` on. */
export interface Running {
  readonly worker: Worker | undefined
  setIdentity(identity: IdentityMaterial): void
  /** Of the whole proxy. */
  answer(what: PlainQuestion): Promise<unknown>
  /** Of this process. */
  part(what: WorkerPart): unknown
  figures(): Figures
  /** The sockets are there. */
  serve(sockets: HandedOver): void
  explain(detail: unknown): Promise<unknown>
  probe(detail: unknown): Promise<unknown>
  takeFigures(figures: Figures): void
  drain(deadlineMs: number, patient: boolean): Promise<void>
  close(): void
}

/** A renewed certificate is shown to the control plane within this time; not at once, since many sidecars may renew together. */
const renewalSpreadMs = 30_000
/** What is no longer called is looked for this often. */
const forgetEveryMs = 60_000

/** What the agent handed over besides words. */
export interface Given {
  /** With a signal for sockets that come and go. */
  readonly listen: (address: Address, signal?: AbortSignal) => Promise<Server>
  /** Absent: listeners for datagrams bind their own. */
  readonly listenUdp?: (address: Address, signal: AbortSignal) => Promise<ReceivingDatagrams>
  /** Each begins to receive when it is called. */
  readonly datagrams: readonly (() => ReceivingDatagrams | undefined)[]
  /** For the program's other datagrams; never, where there is none. */
  readonly carrier: Promise<DatagramCarrier>
  /** Takes what was caught on its way to ports that nobody declared. */
  readonly undeclared: Server
  readonly inside: Inside
}

/** Begins. */
export function run(
  plan: Plan,
  { listen, listenUdp, datagrams, carrier, undeclared, inside }: Given,
  parts: SidecarParts,
): Running {
  const { flow, identity, self, worker, adminAddress, log } = plan
  const { clock, random } = parts
  const metrics = createMetrics({ clock })
  const logFiles = createLogFiles({
    stdout: parts.writeAccessLog,
    stderr: parts.writeLog,
    failed: (path, reason) => log.error('cannot write an access log', { path, reason }),
  })
  const proxy = createProxy({
    config: worker?.divided(flow.config) ?? flow.config,
    demand: (routeName) => flow.demand(routeName),
    identity,
    listen,
    ...(listenUdp && { listenUdp }),
    self,
    ...(plan.connectInside ? { connectInside: (port, timeoutMs) => inside.connect(port, timeoutMs) } : {}),
    carrier,
    undeclared,
    allowDatagrams: (allow) => parts.tell({ kind: 'datagrams', allow }),
    machine: thisMachine(worker?.count),
    metrics,
    accessLog: (path) => logFiles.to(path),
    clock,
    random,
    log,
  })

  const { quotaSource, standBy } = plan
  const quotas = quotaSource && createQuotaClient({ ...quotaSource, quotas: proxy.quotas, clock, log })
  if (standBy !== undefined)
    void flow.ready
      .then(() => Promise.all(standBy.demanded.map((name) => flow.demand(name))))
      .then(() => parts.tell({ kind: 'warm' }))
  const forgetting = clock.every(
    forgetEveryMs,
    () => flow.forgetUnused(proxy.takeUsed(), (clusters) => proxy.isBusy(clusters)),
    {
      background: true,
    },
  )

  let ready = false
  void Promise.all([flow.ready, proxy.ready]).then(() => {
    ready = true
    parts.tell({ kind: 'ready' })
  })
  const part = (what: WorkerPart): unknown => {
    switch (what) {
      case 'config':
        return { process: process.pid, ready, revision: flow.config.value.revision, state: flow.state() }
      case 'clusters':
        return plainJson(proxy.describeClusters())
      case 'snapshot':
        return metrics.snapshot()
    }
  }
  const answer = async (what: PlainQuestion): Promise<unknown> => {
    switch (what) {
      case 'config': {
        const { value: config } = flow.config
        if (worker === undefined) return { config, state: flow.state() }
        return { config, state: flow.state(), ...((await worker.together('config', part)) as object) }
      }
      case 'clusters':
        return worker?.together('clusters', part) ?? proxy.describeClusters()
      case 'stats':
        return worker?.together('stats', part) ?? metrics.exposition()
      case 'certs':
        return certsAnswer(identity?.value, flow.config.value)
      case 'demanded':
        return flow.demanded()
      case 'figures':
        return metrics.give()
      case 'drain-inbound':
        return proxy.drainInbound()
    }
  }
  const isReady = (): boolean => ready && worker?.allReady !== false
  let dns: DnsServer | undefined
  // Not before every name is known: a question waits in its socket meanwhile.
  if (plan.dnsAddress !== undefined) {
    const on = plan.dnsAddress
    const queries = metrics.counter('weft_dns_queries_total', 'DNS queries of the program, by who answered.', [
      'answer',
    ])
    void proxy.ready.then(async () => {
      await flow.ready
      dns = startDns(
        { find: (host) => proxy.findService(host), instancesOf: (service) => proxy.instancesOf(service) },
        (how) => queries.of(how).add(1),
        clock,
      )
      for (const receive of datagrams) {
        const socket = receive()
        if (socket !== undefined) dns.addUdp(socket)
      }
      dns.addTcp(await listen(on))
    })
  }
  let admin: AdminServer | undefined
  if (adminAddress !== undefined) {
    listen(adminAddress)
      .then((on) => startAdmin({ on, ready: isReady, answer }))
      .then((server) => (admin = server))
      .catch((error: unknown) => log.warn('no admin port', { reason: String(error) }))
  }
  let spread: Spread | undefined
  return {
    worker,
    serve(sockets) {
      spread = worker?.spread(metrics)
      sockets.spreadBy(spread)
    },
    part,
    figures: () => metrics.give(),
    setIdentity(next) {
      identity?.set(next)
      clock.after(random.below(renewalSpreadMs), () => flow.renew(), { background: true })
    },
    answer,
    async explain(detail) {
      const request = decode(explainRequest, detail)
      if ('value' in request)
        return { ...(await proxy.explain(request.value)), ...(worker && { worker: worker.index }) }
      return { refused: { status: 400, sentence: issuesOf(request) } }
    },
    async probe(detail) {
      const request = decode(probeRequest, detail)
      if ('value' in request) return proxy.probe(request.value)
      return { fault: { kind: 'bad-request', sentence: issuesOf(request) }, tookMs: 0 }
    },
    takeFigures: (figures) => metrics.take(figures),
    drain(deadlineMs, patient) {
      spread?.close()
      dns?.stopReceiving()
      admin?.leave()
      return proxy.drain(deadlineMs, patient)
    },
    close() {
      forgetting.cancel()
      quotas?.close()
      proxy.close()
      flow.close()
      metrics.close()
      void logFiles.close()
      dns?.close()
      void admin?.close()
    },
  }
}

const issuesOf = ({
  issues,
}: {
  readonly issues: readonly { readonly path: string; readonly message: string }[]
}): string => issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
