import { formatAddress } from '../../base/address.ts'
import { authorityAddress } from '../along-route.ts'
import type {
  AdaptiveConcurrency,
  Authorization,
  FilterChain,
  Origin,
  ProxyConfig,
  Route,
  RouteTable,
} from '../config.ts'
import { chainChooser } from '../detect/choose-chain.ts'
import { compileAuthorization } from '../filter/authorize.ts'
import { emptyBody } from '../http/body.ts'
import { faultSentence, faultStatus, type Fault } from '../http/fault.ts'
import { headerField, headerValue } from '../http/headers.ts'
import { isFault, type Call, type Peer } from '../http/service.ts'
import { explainCluster, settingsList, type ClusterChoice, type Setting } from './cluster.ts'
import { explainSplit, hedgingFor, sentAs, type ExplainedSession } from './split.ts'
import { explainRaw } from './raw.ts'
import { explainRecovery, type RecoveryExplanation } from './recovery.ts'
import { gatewayEntry } from './gateway.ts'
import { triedRoutes, type Tried } from './tried.ts'
import type { ExplainRequest } from './request.ts'
import type { Gradients } from '../filter/gradient.ts'
import { busyFault } from '../filter/shed-load.ts'
import type { Quotas } from '../filter/quota.ts'
import type { RateCounts } from '../filter/rate-limit.ts'
import { metLimits, type LimiterQuestion, type LimitState } from './limits.ts'
import type { HedgeState } from '../hedge-state.ts'
import { wrongPort } from '../outbound.ts'
import { namedPort } from '../raw-route.ts'
import { askedMs } from '../recovery/carry-deadline.ts'
import { normalizePath } from '../route/path.ts'
import type { Snapshot } from '../snapshot.ts'
import { meshAlpn } from '../../xds/names.ts'

/** How the request would end here without going on. */
export interface Refused {
  readonly status: number
  readonly sentence: string
}

/** The caller's side: name, route, split, endpoints. */
export interface OutboundExplanation extends Partial<RecoveryExplanation> {
  readonly side: 'outbound'
  /** `<namespace>/<service>/<port>`; absent: no service of the mesh. */
  readonly service?: string
  /** Of a gateway: where the request comes in. */
  readonly listener?: { readonly name: string; readonly chain: string }
  readonly tried: readonly Tried[]
  readonly refused?: Refused
  /** Of a gateway, which counts what its routes may take. Absent: there are none. */
  readonly limits?: readonly LimitState[]
  /** Of other limiters. */
  readonly asks?: readonly LimiterQuestion[]
  /** What of timeout, retries and faults came from policies. */
  readonly settings?: readonly Setting[]
  /** How calls of one session find their endpoint again, and where this one's is. Absent: they do not. */
  readonly session?: ExplainedSession
  readonly clusters: readonly ClusterChoice[]
}

/** The callee's side: filter chain, authorization and rate limits. */
export interface InboundExplanation {
  readonly side: 'inbound'
  readonly chain?: string
  readonly filters: readonly { readonly action: Authorization['action']; readonly tried: readonly Tried[] }[]
  /** Absent: there are none, or authorization is in the way. */
  readonly limits?: readonly LimitState[]
  /** Of other limiters. */
  readonly asks?: readonly LimiterQuestion[]
  /** How the program is kept from overload now; absent: it is not, or something is in the way. */
  readonly load?: {
    readonly waiting: number
    readonly limit: number
    readonly baselineMs: number | undefined
    readonly measuring: boolean
    readonly origin?: Origin | undefined
  }
  readonly refused?: Refused
}

export type Explanation = OutboundExplanation | InboundExplanation

/** What an explanation needs of the running proxy: the very configuration and state that calls meet. */
export interface ExplainParts {
  readonly current: () => Snapshot
  readonly demand: (routeName: string) => Promise<boolean>
  readonly ownNamespace: string
  readonly workload: string
  /** `<namespace>/<service>` of the program. */
  readonly service: string
  readonly rateCounts: RateCounts
  readonly quotas: Quotas
  readonly gradients: Gradients
  readonly hedges: HedgeState
  readonly nowMs: () => number
}

/** Takes the decisions that the request would meet, by the same functions, and writes down how they came about. Sends nothing. */
export async function explain(request: ExplainRequest, parts: ExplainParts): Promise<Explanation> {
  return request.inbound === undefined
    ? explainOutbound(request, parts)
    : explainInbound(request, request.inbound, parts)
}

async function explainOutbound(request: ExplainRequest, parts: ExplainParts): Promise<OutboundExplanation> {
  const { current, demand, ownNamespace } = parts
  const call = callOf(request, { principal: undefined, tls: request.scheme === 'https' })
  const stopped = (fault: Fault, more: Partial<OutboundExplanation> = {}): OutboundExplanation => ({
    side: 'outbound',
    tried: [],
    clusters: [],
    ...more,
    refused: refusedBy(fault),
  })
  if (call === undefined) return { side: 'outbound', tried: [], clusters: [], refused: ambiguousPath }
  const entry = gatewayEntry(request, current().config)
  if (entry !== undefined) return atGateway(entry, call, parts)
  const tls = request.scheme === 'https'
  const { host, port } = authorityAddress(call.authority, tls ? 443 : 80)
  const service = current().nameOf(host, port, ownNamespace)
  if (service !== undefined && namedPort(service, current())?.protocol === 'tcp') {
    await demand(service)
    const raw = explainRaw(service, { authority: call.authority, path: call.path, tls }, current())
    return { side: 'outbound', service, ...raw }
  }
  if (tls) return { side: 'outbound', tried: [], clusters: [], refused: encrypted }
  call.deadlineMs = askedMs(call.headers) // a sidecar believes its program
  if (service === undefined) {
    const fault = wrongPort(host, port, ownNamespace, current().config)
    if (fault !== undefined) return stopped(fault)
  } else if (!current().config.routes.has(service)) await demand(service)
  const snapshot = current()
  const table = service === undefined ? outsideTable(snapshot.config) : snapshot.config.routes.get(service)
  if (table === undefined)
    return stopped({ kind: 'config-timeout', side: 'self', retry: 'never', name: service ?? '', timeoutMs: 0 })
  const route = snapshot.routerOf(table)(call, lastDraw)
  const named = service === undefined ? {} : { service }
  const tried = triedRoutes(table, route, call)
  if (route === undefined)
    return stopped(
      { kind: 'no-route', side: 'self', retry: 'never', authority: call.authority, path: call.path },
      { ...named, tried },
    )
  return { side: 'outbound', ...named, tried, ...(await alongAction({ table, route }, call, snapshot, parts)) }
}

type Onward = Partial<RecoveryExplanation> & Pick<OutboundExplanation, 'session' | 'refused' | 'settings' | 'clusters'>

/** Of routes that take shares of such calls the last one is followed; what the others take is told. */
const lastDraw = 1 - 2 ** -53

async function alongAction(
  { table, route }: { readonly table: RouteTable; readonly route: Route },
  call: Call,
  snapshot: Snapshot,
  { hedges }: Pick<ExplainParts, 'hedges'>,
): Promise<Onward> {
  const { action } = route
  if (action.kind !== 'forward') return { refused: await ownAnswer(route, call, snapshot), clusters: [] }
  const { percent, hash, session } = explainSplit({ table, route, action }, call, snapshot)
  return {
    ...explainRecovery(route, action, call),
    ...(session && { session }),
    settings: settingsList(route.settings),
    clusters: action.clusters.map((one) => ({
      ...explainCluster(one, percent(one), hash, snapshot),
      ...hedgingFor(route.name, action, one, call, hedges),
      ...sentAs(call, one, action),
    })),
  }
}

/** A redirect or a fixed answer touches nobody else: the route's own service gives it. */
async function ownAnswer(route: Route, call: Call, snapshot: Snapshot): Promise<Refused> {
  const reply = await snapshot.serviceOf(route)(call)
  if (isFault(reply)) return refusedBy(reply)
  const location = headerValue(reply.headers, 'location')
  const body = route.action.kind === 'direct' ? route.action.body.trim() : ''
  return { status: reply.status, sentence: location === undefined ? body : `go to ${location}` }
}

/** What a stranger meets, in the order in which it does: authorization, then the routes of the host. */
async function atGateway(
  entry: Exclude<ReturnType<typeof gatewayEntry>, undefined>,
  call: Call,
  parts: ExplainParts,
): Promise<OutboundExplanation> {
  const { workload, rateCounts, quotas, nowMs, service } = parts
  const snapshot = parts.current()
  if ('sentence' in entry)
    return { side: 'outbound', tried: [], clusters: [], refused: { status: 0, sentence: entry.sentence } }
  const { table, terminal } = entry
  const found = { side: 'outbound', listener: { name: entry.listener, chain: entry.chain } } as const
  for (const filter of terminal.filters) {
    if (filter.kind !== 'authorize') continue
    const fault = compileAuthorization(filter.rules, { workload })(call)
    if (fault !== undefined) return { ...found, tried: [], clusters: [], refused: refusedBy(fault) }
  }
  const route = snapshot.routerOf(table)(call, lastDraw)
  const tried = triedRoutes(table, route, call)
  const { limits, asks, over } = metLimits(terminal, call, {
    snapshot,
    counts: rateCounts,
    quotas,
    nowMs: nowMs(),
    service,
  })
  const counted = { ...(limits.length > 0 && { limits }), ...(asks.length > 0 && { asks }) }
  if (over !== undefined) return { ...found, tried, ...counted, clusters: [], refused: refusedBy(over) }
  if (route !== undefined)
    return { ...found, tried, ...counted, ...(await alongAction({ table, route }, call, snapshot, parts)) }
  const fault: Fault = { kind: 'no-route', side: 'self', retry: 'never', authority: call.authority, path: call.path }
  return { ...found, tried, clusters: [], refused: refusedBy(fault) }
}

function explainInbound(
  request: ExplainRequest,
  { address, principal, serverName }: NonNullable<ExplainRequest['inbound']>,
  { current, workload, rateCounts, quotas, gradients, nowMs, service }: ExplainParts,
): InboundExplanation {
  const tls = principal !== ''
  const call = callOf(request, { principal: tls ? principal : undefined, tls })
  if (call === undefined) return { side: 'inbound', filters: [], refused: ambiguousPath }
  const listener = [...current().config.listeners.values()].find(
    (one) => one.direction === 'inbound' && formatAddress(one.address) === address,
  )
  if (listener === undefined)
    return { side: 'inbound', filters: [], refused: { status: 503, sentence: `no inbound listener at ${address}` } }
  const chain = chainChooser(listener)({
    destination: listener.address,
    source: { host: listener.address.host, port: 0 },
    directSource: listener.address.host,
    serverName,
    transportProtocol: tls ? 'tls' : 'raw_buffer',
    applicationProtocols: tls ? [meshAlpn] : [],
  })
  if (chain === undefined) {
    const sentence = tls
      ? 'no filter chain takes mTLS here'
      : 'plain text is refused here (PeerAuthentication STRICT): the connection is closed'
    return { side: 'inbound', filters: [], refused: { status: 0, sentence } }
  }
  const rules = chain.terminal.kind === 'http' ? chain.terminal.filters.filter((one) => one.kind === 'authorize') : []
  const filters = rules.map(({ rules: { action, policies } }) => ({
    action,
    tried: policies.map((rule) => triedRule({ action, policies: [rule] }, call, workload)),
  }))
  for (const { rules: authorization } of rules) {
    const fault = compileAuthorization(authorization, { workload })(call)
    if (fault !== undefined) return { side: 'inbound', chain: chain.name, filters, refused: refusedBy(fault) }
  }
  const { limits, asks, over } = metLimits(chain.terminal, call, {
    snapshot: current(),
    counts: rateCounts,
    quotas,
    nowMs: nowMs(),
    service,
  })
  const adaptive = adaptiveIn(chain.terminal)
  const gradient = adaptive && gradients.of(adaptive.name, adaptive.limit)
  const full = gradient !== undefined && gradient.waiting >= gradient.limit
  return {
    side: 'inbound',
    chain: chain.name,
    filters,
    ...(limits.length > 0 && { limits }),
    ...(asks.length > 0 && { asks }),
    ...(gradient && {
      load: {
        waiting: gradient.waiting,
        limit: gradient.limit,
        baselineMs: gradient.baselineMs,
        measuring: gradient.measuring,
        origin: adaptive?.limit.origin,
      },
    }),
    ...(adaptive && full && { refused: refusedBy(busyFault(adaptive.limit.status, gradient)) }),
    ...(over && { refused: refusedBy(over) }),
  }
}

function adaptiveIn(
  terminal: FilterChain['terminal'],
): { readonly name: string; readonly limit: AdaptiveConcurrency } | undefined {
  if (terminal.kind !== 'http') return undefined
  const filter = terminal.filters.find((one) => one.kind === 'adaptive-concurrency')
  return filter && { name: terminal.statPrefix, limit: filter.limit }
}

function triedRule(authorization: Authorization, call: Call, workload: string): Tried {
  const [rule] = authorization.policies
  let matched = false
  compileAuthorization(authorization, { workload, matched: (_, found) => (matched = found !== undefined) })(call)
  const tried = { name: rule?.name ?? '', origin: rule?.origin }
  return matched ? tried : { ...tried, why: 'its conditions do not hold' }
}

/** Hosts that are no service of the mesh go by the explicit listener's own routes. */
function outsideTable({ listeners }: ProxyConfig): RouteTable | undefined {
  for (const { routeByName, filterChains } of listeners.values()) {
    const terminal = filterChains[0]?.terminal
    if (routeByName && terminal?.kind === 'http' && 'inline' in terminal.routes) return terminal.routes.inline
  }
  return undefined
}

const refusedBy = (fault: Fault): Refused => ({ status: faultStatus(fault), sentence: faultSentence(fault) })
const encrypted: Refused = {
  status: 0,
  sentence: 'a sidecar passes on what a program has encrypted itself: it sees no request and decides about none',
}
const ambiguousPath: Refused = { status: 400, sentence: 'the path can be read in more than one way' }

/** Undefined when the path is refused. */
function callOf(
  { method, authority, path, headers }: ExplainRequest,
  { principal, tls }: Pick<Peer, 'principal' | 'tls'>,
): Call | undefined {
  const normal = normalizePath(path)
  if (normal === undefined) return undefined
  const fields = headers.map(([name, value]) => headerField(name.toLowerCase(), value))
  const nowhere = { host: '127.0.0.1', port: 0 }
  return {
    method,
    scheme: tls ? 'https' : 'http',
    authority: authority.toLowerCase(),
    path: normal,
    headers: fields,
    body: emptyBody,
    // gRPC is spoken over HTTP/2 only.
    protocol: headerValue(fields, 'content-type')?.startsWith('application/grpc') === true ? 'h2' : 'http/1.1',
    peer: { remote: nowhere, local: nowhere, principal, tls },
    startedMs: 0,
    trace: { tried: [], attempts: 0, bytesSent: 0, bytesReceived: 0 },
    onEnd() {},
    cancel() {},
    onCancel() {},
  }
}
