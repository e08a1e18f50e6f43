import { Server } from 'node:net'
import { parseAddress, type Address } from '../base/address.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Figures } from '../base/figures.ts'
import { textLog } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { parseSpiffeId } from '../base/spiffe-id.ts'
import { settable } from '../base/watchable.ts'
import { trustBundleSecret } from '../xds/names.ts'
import { decode } from '../base/decode.ts'
import { explainRequest } from './explain-request.ts'
import { probeRequest } from './probe.ts'
import { createDnsServer, type DnsServer, type ReceivingDatagrams } from './dns/serve-dns.ts'
import { createAnswerCache } from './dns/answer-cache.ts'
import { createForward } from './dns/forward.ts'
import { answerFromNames, type MeshNames } from './dns/mesh-names.ts'
import { hostResolvers } from './dns/resolvers.ts'
import { createHandedOver, type SocketOwner } from './handed-over.ts'
import type { DatagramCarrier } from './carried-datagrams.ts'
import { createInside, type Inside } from './inside.ts'
import { datagramsFrom } from './listener/handles.ts'
import { originalDestination } from './listener/original-destination.ts'
import { createOrderedDatagrams } from './ordered-datagrams.ts'
import type { NamedService } from './config.ts'
import { createProxy } from './proxy.ts'
import { certsAnswer, plainJson } from './sidecar-answers.ts'
import type { FromSidecar, IdentityMaterial, ToSidecar } from './sidecar-messages.ts'
import { startAdmin, type AdminServer } from './telemetry/admin.ts'
import { createLogFiles } from './telemetry/log-files.ts'
import { createMetrics } from './telemetry/metrics.ts'
import { createConfigFlow } from './xds/config-flow.ts'
import { connectControlPlane } from './xds/connect.ts'
import { createQuotaClient } from './xds/quota-client.ts'

/** What the process is made of. */
export interface SidecarParts {
  readonly version: string
  readonly tell: (message: FromSidecar) => void
  /** Takes a line with its end. */
  readonly writeLog: (line: string) => void
  readonly writeAccessLog: (line: string) => void
  /** Takes note of the program's process, which is to end with the agent. */
  readonly guard: (pid: number | undefined) => void
  /** Ends the process. */
  readonly exit: (status: number) => void
  readonly clock: Clock
  readonly random: Random
}

/** The life of a sidecar, driven by its agent. */
export interface Sidecar {
  /** `handle` is what came along. */
  hear(message: ToSidecar, handle: unknown): void
  /** Ends the process when nothing is in flight any more, after `deadlineMs` at the latest. */
  drain(deadlineMs: number, patient?: boolean): void
}

type Start = Extract<ToSidecar, { kind: 'start' }>
type Question = Exclude<Extract<ToSidecar, { kind: 'ask' }>['what'], 'explain' | 'probe'>

/** From `start` on. */
interface Running {
  setIdentity(identity: IdentityMaterial): void
  answer(what: Question): unknown
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
/** The proxy keeps to its deadline by itself; this is for the day when it does not. */
const drainSlackMs = 500
/** While the next one serves already, it hears so often what is counted here. */
const reportEveryMs = 5000

/** Does nothing until it hears `start`. */
export function createSidecar(parts: SidecarParts): Sidecar {
  const owner: SocketOwner = {
    want: (address) => parts.tell({ kind: 'listen', address }),
    release: (address) => parts.tell({ kind: 'release', address }),
  }
  const sockets = createHandedOver(owner)
  const ordered = createOrderedDatagrams(owner)
  const datagrams: (() => ReceivingDatagrams | undefined)[] = []
  const carrier = Promise.withResolvers<DatagramCarrier>()
  const undeclared = new Server()
  const inside = createInside({ ask: (id, port) => parts.tell({ kind: 'connect', id, port }), clock: parts.clock })
  let running: Running | undefined
  let draining = false
  let reporting: Timer | undefined
  const released = Promise.withResolvers<void>()

  const over = (): void => {
    if (reporting !== undefined) tellFigures()
    reporting?.cancel()
    running?.close()
    parts.exit(0)
  }
  const drain = (deadlineMs: number, patient = false): void => {
    sockets.close()
    ordered.close()
    if (running === undefined) return over()
    // Each further time: another deadline, of which the first to come counts.
    const late = parts.clock.after(deadlineMs + drainSlackMs, over)
    if (draining) return
    draining = true
    if (patient) reporting = parts.clock.every(reportEveryMs, tellFigures, { background: true })
    void running.drain(deadlineMs, patient).then(() => {
      late.cancel()
      over()
    })
  }
  const takeSocket = ({ address, also, caught }: Extract<ToSidecar, { kind: 'listener' }>, server: Server): void => {
    if (caught === undefined) return sockets.add(address, server, also)
    const byPort = new Map(caught.map((one) => [one.port, one.address]))
    sockets.addCaught(server, (socket) => byPort.get(originalDestination(socket)?.port ?? 0), undeclared)
  }
  const tellFigures = (): void => parts.tell({ kind: 'figures', figures: running?.answer('figures') as Figures })
  const tellAnswer = async ({ id, what, detail }: Extract<ToSidecar, { kind: 'ask' }>): Promise<void> => {
    const answer = what === 'explain' || what === 'probe' ? await running?.[what](detail) : running?.answer(what)
    parts.tell({ kind: 'answer', id, json: plainJson(answer ?? null) })
  }
  return {
    drain,
    hear(message, handle) {
      switch (message.kind) {
        case 'listener':
          if (handle instanceof Server) takeSocket(message, handle)
          return
        case 'datagrams': {
          const { family, address, relay } = message
          const receive = (): ReceivingDatagrams | undefined => datagramsFrom(handle, family)
          if (relay !== undefined) {
            void released.promise.then(() => {
              const received = receive()
              if (received !== undefined) carrier.resolve({ ...received, relay })
            })
          } else if (address === undefined) datagrams.push(receive)
          else ordered.add(address, receive)
          return
        }
        case 'connected':
          return inside.heard(message.id, handle, message.error)
        case 'start': {
          if (message.standBy === undefined) released.resolve()
          const { socketsOnDemand = false } = message
          const listen: Given['listen'] = async (address, signal) => {
            await released.promise
            return socketsOnDemand && signal !== undefined ? sockets.order(address, signal) : sockets.take(address)
          }
          const listenUdp: Given['listenUdp'] = async (address, signal) => {
            await released.promise
            return ordered.order(address, signal)
          }
          const given: Given = {
            listen,
            ...(socketsOnDemand && { listenUdp }),
            datagrams,
            carrier: carrier.promise,
            undeclared,
            inside,
          }
          const started = running ?? start(message, given, parts)
          if ('failed' in started) {
            parts.tell({ kind: 'failed', sentence: started.failed })
            return parts.exit(1)
          }
          running = started
          return
        }
        case 'take-over':
          running?.takeFigures(message.figures)
          return released.resolve()
        case 'figures':
          return running?.takeFigures(message.figures)
        case 'identity':
          return running?.setIdentity(message.identity)
        case 'ask':
          void tellAnswer(message)
          return
        case 'program':
          return parts.guard(message.pid)
        case 'drain':
          return drain(message.deadlineMs, message.patient)
      }
    },
  }
}

/** What the agent handed over besides words. */
interface Given {
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

function start(
  message: Start,
  { listen, listenUdp, datagrams, carrier, undeclared, inside }: Given,
  parts: SidecarParts,
): Running | { readonly failed: string } {
  const { nodeId, xdsAddress, identity: first, workload, namespace, service, adminAddress, logLevel } = message
  const { clock, random } = parts
  const address = parseAddress(xdsAddress)
  const { spiffeId } = first
  const trustDomain = parseSpiffeId(spiffeId)?.trustDomain
  if (address === undefined) return { failed: `"${xdsAddress}" is no address of a control plane (host:port)` }
  if (trustDomain === undefined) return { failed: `"${spiffeId}" is no identity of the mesh` }

  const log = textLog({ part: 'sidecar', level: logLevel, write: parts.writeLog, wallMs: () => clock.wallMs() })
  const identity = settable(first)
  // The bundle of the start and the newest one by SDS: a root may be replaced while we run.
  let laterTrustPem = ''
  const connect = (): ReturnType<typeof connectControlPlane> => {
    const { keyPem, chainPem, trustBundlePem } = identity.value
    const trustPem = `${trustBundlePem}\n${laterTrustPem}`
    return connectControlPlane({ address, trustDomain, trustPem, keyPem, chainPem }, { clock, log: log.named('xds') })
  }
  const flow = createConfigFlow({
    connect,
    node: { id: nodeId, cluster: service, version: parts.version },
    ...(message.used === undefined ? {} : { used: message.used }),
    clock,
    random,
    log,
  })
  flow.config.watch(({ trust }) => (laterTrustPem = trust.get(trustBundleSecret) ?? laterTrustPem))

  const metrics = createMetrics({ clock })
  const logFiles = createLogFiles({
    stdout: parts.writeAccessLog,
    stderr: parts.writeLog,
    failed: (path, reason) => log.error('cannot write an access log', { path, reason }),
  })
  const proxy = createProxy({
    config: flow.config,
    demand: (routeName) => flow.demand(routeName),
    identity,
    listen,
    ...(listenUdp && { listenUdp }),
    self: { workload: workload.includes('/') ? workload : `${namespace}/${workload}`, namespace, service, spiffeId },
    ...(message.connectInside === true ? { connectInside: (port, timeoutMs) => inside.connect(port, timeoutMs) } : {}),
    carrier,
    undeclared,
    allowDatagrams: (allow) => parts.tell({ kind: 'datagrams', allow }),
    metrics,
    accessLog: (path) => logFiles.to(path),
    clock,
    random,
    log,
  })

  const quotas = createQuotaClient({ connect, nodeId, quotas: proxy.quotas, clock, log })

  const { standBy } = message
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
  const answer = (what: Question): unknown => {
    switch (what) {
      case 'config':
        return { config: flow.config.value, state: flow.state() }
      case 'clusters':
        return proxy.describeClusters()
      case 'stats':
        return metrics.exposition()
      case 'certs':
        return certsAnswer(identity.value, flow.config.value)
      case 'demanded':
        return flow.demanded()
      case 'figures':
        return metrics.give()
    }
  }
  let dns: DnsServer | undefined
  // Not before every name is known: a question waits in its socket meanwhile.
  if (message.dnsAddress !== undefined) {
    const on = message.dnsAddress
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
      .then((on) => startAdmin({ on, ready: () => ready, metrics, dump: answer }))
      .then((server) => (admin = server))
      .catch((error: unknown) => log.warn('no admin port', { reason: String(error) }))
  }
  return {
    setIdentity(next) {
      identity.set(next)
      clock.after(random.below(renewalSpreadMs), () => flow.renew(), { background: true })
    },
    answer,
    async explain(detail) {
      const request = decode(explainRequest, detail)
      if ('value' in request) return proxy.explain(request.value)
      return { refused: { status: 400, sentence: issuesOf(request) } }
    },
    async probe(detail) {
      const request = decode(probeRequest, detail)
      if ('value' in request) return proxy.probe(request.value)
      return { fault: { kind: 'bad-request', sentence: issuesOf(request) }, tookMs: 0 }
    },
    takeFigures: (figures) => metrics.take(figures),
    drain(deadlineMs, patient) {
      dns?.stopReceiving()
      admin?.leave()
      return proxy.drain(deadlineMs, patient)
    },
    close() {
      forgetting.cancel()
      quotas.close()
      proxy.close()
      flow.close()
      metrics.close()
      void logFiles.close()
      dns?.close()
      void admin?.close()
    },
  }
}

/** Answers for the names of the mesh, asks the machine's own resolvers for the rest. */
function startDns(
  names: MeshNames,
  answered: Parameters<typeof createDnsServer>[0]['answered'],
  clock: Clock,
): DnsServer {
  const host = hostResolvers(clock)
  let turn = 0
  // Clients take the first one: another one each time.
  const instancesOf = (service: NamedService): readonly NamedService[] => {
    const all = names.instancesOf(service)
    const from = turn++ % Math.max(1, all.length)
    return [...all.slice(from), ...all.slice(0, from)]
  }
  return createDnsServer({
    lookup: (question) => answerFromNames(question, { find: names.find, instancesOf }, host().search),
    forward: createForward({ resolvers: () => host().servers, clock }),
    cache: createAnswerCache(clock),
    answered,
    clock,
  })
}

const issuesOf = ({
  issues,
}: {
  readonly issues: readonly { readonly path: string; readonly message: string }[]
}): string => issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
