import { formatAddress } from '../base/address.ts'
import { object, type Decoder } from '../base/decode.ts'
import { authorityAddress } from './along-route.ts'
import { explainCluster, type ClusterChoice } from './explain/cluster.ts'
import { hostText, pathText } from './explain/request.ts'
import { protocolOf } from './explicit.ts'
import { askOnce } from './health/ask-once.ts'
import { faultSentence, type Fault } from './http/fault.ts'
import { headerField } from './http/headers.ts'
import type { Call, Peer, Reply } from './http/service.ts'
import { wrongPort } from './outbound.ts'
import type { Shared } from './shared.ts'
import type { Snapshot } from './snapshot.ts'
import { reach, tunnelPlan } from './tcp.ts'

/** A call that is really made, to see how far it comes. */
export interface ProbeRequest {
  /** Host, with a port if it is not 80. */
  readonly authority: string
  /** Of the GET; raw TCP has none. */
  readonly path: string
}

/** How far it came. */
export interface ProbeResult {
  /** `<namespace>/<service>/<port>`; absent: no service of the mesh. */
  readonly service?: string
  readonly protocol?: 'http' | 'tcp'
  /** Of raw TCP, where there is no route to explain: the endpoints before it was tried. */
  readonly cluster?: Omit<ClusterChoice, 'authority' | 'path'>
  /** Where the (last) attempt went; absent: nowhere. */
  readonly endpoint?: string | undefined
  readonly workload?: string | undefined
  /** The SPIFFE ID that the other side proved; absent: none was asked for, or it came not so far. */
  readonly principal?: string | undefined
  /** Of the answer to HTTP. */
  readonly status?: number
  /** What ended it; absent: it came through. */
  readonly fault?: { readonly kind: Fault['kind']; readonly sentence: string }
  readonly tookMs: number
}

/** What came through the agent's session. */
export const probeRequest: Decoder<ProbeRequest> = object<ProbeRequest>({ authority: hostText, path: pathText })

/** The running proxy: the connections, retries and certificates are those that calls of the program have. */
export interface ProbeParts {
  readonly current: () => Snapshot
  readonly demand: (name: string) => Promise<boolean>
  readonly shared: Shared
}

const answerMs = 4000
/** A raw connection that its far side cannot serve is closed at once; one that stays for so long is taken to be served, ms. */
const staysMs = 300
const userAgent = headerField('user-agent', 'Weft/check')
const nowhere: Peer = {
  remote: { host: '127.0.0.1', port: 0 },
  local: { host: '127.0.0.1', port: 0 },
  principal: undefined,
  tls: false,
}

/** Sends one GET, or opens one raw connection, as the program's own would go. It is neither logged nor counted as the program's. */
export async function probe({ authority, path }: ProbeRequest, parts: ProbeParts): Promise<ProbeResult> {
  const { current, demand, shared } = parts
  const startedMs = shared.clock.nowMs()
  const { host, port } = authorityAddress(authority.toLowerCase(), 80)
  const service = current().nameOf(host, port, shared.ownNamespace)
  const protocol = service === undefined ? undefined : (protocolOf(service, current()) ?? 'http')
  const told = (more: Partial<ProbeResult>): ProbeResult => ({
    ...(service !== undefined && { service }),
    ...(protocol !== undefined && { protocol }),
    ...more,
    tookMs: Math.round(shared.clock.nowMs() - startedMs),
  })
  if (service === undefined)
    return told({ fault: said(wrongPort(host, port, shared.ownNamespace, current().config) ?? unknown(authority)) })
  const { routes, clusters } = current().config
  if (!(protocol === 'tcp' ? clusters : routes).has(service)) await demand(service)
  return told(
    protocol === 'tcp'
      ? await probeRaw(service, { host, port }, parts)
      : await probeHttp(service, { authority, path }, parts),
  )
}

async function probeHttp(
  service: string,
  { authority, path }: ProbeRequest,
  { current, shared: { clock, wheel } }: ProbeParts,
): Promise<Partial<ProbeResult>> {
  const snapshot = current()
  const table = snapshot.config.routes.get(service)
  if (table === undefined)
    return { fault: said({ kind: 'config-timeout', side: 'self', retry: 'never', name: service, timeoutMs: 0 }) }
  let trace: Call['trace'] | undefined
  const send = (call: Call): Promise<Reply | Fault> => {
    trace = call.trace
    const route = snapshot.routerOf(table)(call)
    if (route !== undefined) return snapshot.serviceOf(route)(call)
    return Promise.resolve({ kind: 'no-route', side: 'self', retry: 'never', authority, path })
  }
  let stop: (fault: Fault) => void = () => {}
  const late = Promise.withResolvers<Fault>()
  const timer = wheel.after(answerMs, () => {
    const fault: Fault = {
      kind: 'timeout',
      side: 'upstream',
      retry: 'if-idempotent',
      what: 'request',
      timeoutMs: answerMs,
    }
    stop(fault)
    late.resolve(fault)
  })
  const head = { method: 'GET', authority: authority.toLowerCase(), path, headers: [userAgent], limitBytes: 0 }
  const asking = askOnce(head, Buffer.alloc(0), {
    send,
    nowMs: () => clock.nowMs(),
    onStop: (next) => void (stop = next),
  })
  const answer = await Promise.race([asking, late.promise])
  timer.cancel()
  const { endpoint, upstreamWorkload: workload, upstreamPrincipal: principal } = trace ?? {}
  const way = { endpoint: endpoint && formatAddress(endpoint), workload, principal }
  return 'kind' in answer ? { ...way, fault: said(answer) } : { ...way, status: answer.status }
}

async function probeRaw(
  service: string,
  target: ReturnType<typeof authorityAddress>,
  { current, shared }: ProbeParts,
): Promise<Partial<ProbeResult>> {
  const snapshot = current()
  const cluster = explainCluster({ cluster: service, weight: 1 }, 100, undefined, snapshot)
  const plan = { ...tunnelPlan, accessLog: undefined, clusters: [{ cluster: service, weight: 1 }] }
  const reached = await reach({ cluster: service }, snapshot.config.clusters.get(service), {
    peer: nowhere,
    plan,
    target,
    snapshot,
    shared,
  })
  const { upstream, endpoint } = reached
  const way = { cluster, endpoint: endpoint && formatAddress(endpoint.address), workload: endpoint?.workload }
  if ('kind' in upstream) return { ...way, fault: said(upstream) }
  const { socket, principal } = upstream
  const closed = await new Promise<boolean>((resolve) => {
    const timer = shared.wheel.after(staysMs, () => resolve(false))
    const heard = (isClosed: boolean): void => {
      timer.cancel()
      resolve(isClosed)
    }
    // What a server says first, and an orderly end without a word, tell the two apart.
    socket
      .on('error', () => heard(true))
      .on('end', () => heard(true))
      .on('close', () => heard(true))
      .on('data', () => heard(false))
      .resume()
  })
  socket.destroy()
  if (!closed || endpoint === undefined) return { ...way, principal }
  const cause = 'it closed the connection at once: its program does not take it, or a policy refuses this caller'
  const fault: Fault = {
    kind: 'reset',
    side: 'upstream',
    retry: 'if-idempotent',
    endpoint: endpoint.address,
    sentBytes: 0,
    cause,
  }
  return { ...way, principal, fault: said(fault) }
}

const said = (fault: Fault): NonNullable<ProbeResult['fault']> => ({ kind: fault.kind, sentence: faultSentence(fault) })
const unknown = (authority: string): Fault => ({ kind: 'unknown-host', side: 'self', retry: 'never', authority })
