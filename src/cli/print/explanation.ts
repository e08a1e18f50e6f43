import { grpcStatusNames } from '../../base/grpc.ts'
import { formatRate } from '../../base/keyed-buckets.ts'
import type { ClusterChoice, Setting } from '../../proxy/explain/cluster.ts'
import type { LimiterQuestion, LimitState } from '../../proxy/explain/limits.ts'
import type { InboundExplanation, OutboundExplanation } from '../../proxy/explain/explain.ts'
import type { Tried } from '../../proxy/explain/tried.ts'
import type { ExplainRequest } from '../../proxy/explain/request.ts'

/** All that `weft explain` found out. */
export interface Explained {
  readonly request: ExplainRequest
  /** The caller's workload, and who it is. */
  readonly from: string
  readonly principal: string
  readonly outbound: OutboundExplanation
  /** One of the workloads that each cluster might choose; without `inbound` it did not answer. */
  readonly callees: readonly { readonly workload: string; readonly inbound?: InboundExplanation }[]
}

const row = (title: string, text: string): string => `  ${title.padEnd(10)} ${text}\n`

/** Decision by decision, in the order in which the request would meet them; each with the resource and field that made it so. */
export function explanationText({ request, from, principal, outbound, callees }: Explained): string {
  const head = `${request.method} ${request.scheme ?? 'http'}://${request.authority}${request.path}\n`
  const parts = [
    row('caller', `${from}${principal === '' ? '' : ` (${principal})`}`),
    outbound.listener === undefined
      ? row(
          'name',
          outbound.service === undefined
            ? `${request.authority} is no service of the mesh`
            : `${request.authority} is ${outbound.service}`,
        )
      : row('listener', `${outbound.listener.name}, chain ${outbound.listener.chain}`),
    triedRows('route', outbound.tried),
    ...(outbound.limits ?? []).map(limitRow),
    ...(outbound.asks ?? []).map(askRow),
    ...outbound.clusters.map(clusterRows),
    limitsRow(outbound),
    faultsRow(outbound),
    sessionRow(outbound),
    ...callees.map(calleeRows),
    answerRow(outbound, callees),
  ]
  return head + parts.join('')
}

function triedRows(title: string, tried: readonly Tried[]): string {
  return tried
    .map(({ name, why, origin }, index) => {
      const from = origin === undefined ? '' : `   (${origin.resource} ${origin.field})`
      return row(
        index === 0 ? title : '',
        `${why === undefined ? '✓' : '✗'} ${name}${why === undefined ? '' : `: ${why}`}${from}`,
      )
    })
    .join('')
}

function clusterRows(choice: ClusterChoice): string {
  const { cluster, percent, loadBalancing, byHash, inPanic, endpoints, settings } = choice
  const lines = endpoints.map((endpoint) => {
    const { address, workload, candidate, activeCalls, transport } = endpoint
    const hashed = address === byHash ? ', by the hash of this request' : ''
    return row(
      '',
      `${candidate ? '✓' : '✗'} ${address} ${workload ?? ''} ${stateOf(endpoint)}${placeOf(endpoint)}, ${activeCalls} active, ${transport}${hashed}`,
    )
  })
  return (
    row(
      'share',
      `${Math.round(percent * 100) / 100} % to ${cluster}, ${loadBalancing === 'dns' ? 'by DNS' : `${loadBalancing} among`}`,
    ) +
    settingRows(settings) +
    hedgingRow(choice) +
    (inPanic === true ? row('', 'panic: too few are healthy, so health is ignored') : '') +
    (lines.length === 0 && loadBalancing !== 'dns' ? row('', 'no endpoint') : lines.join(''))
  )
}

function hedgingRow({ hedging }: ClusterChoice): string {
  if (hedging === undefined) return ''
  const { allowed, quantile, afterMs, maxAttempts } = hedging
  if (!allowed) return row('', 'hedging: not for this method')
  if (afterMs === undefined) return row('', 'hedging: not yet, too little is known of how long replies take')
  const learnt = quantile === undefined ? '' : ` (percentile ${Math.round(quantile * 1e4) / 100} of late)`
  return row('', `hedging: another attempt after ${Math.round(afterMs * 10) / 10} ms${learnt}, at most ${maxAttempts}`)
}

function stateOf({ health, ejectedFor, ejectedForMs, checkFailed }: ClusterChoice['endpoints'][number]): string {
  if (ejectedForMs !== undefined)
    return `ejected by ${ejectedFor} for another ${Math.max(1, Math.ceil(ejectedForMs / 1000))} s`
  return checkFailed === undefined ? health : `${health} (last check: ${checkFailed})`
}

/** Where it is, and whether others are asked before it. */
const placeOf = ({ locality, priority }: ClusterChoice['endpoints'][number]): string =>
  `${locality === '' ? '' : `, in ${locality}`}${priority === 0 ? '' : `, at priority ${priority}`}`

/** What policies gave; whatever is not listed is the mesh's own or the route's. */
const settingRows = (settings: readonly Setting[] = []): string =>
  settings.map(({ name, origin }) => row('', `policy: ${name}   (${origin.resource} ${origin.field})`)).join('')

function limitsRow({
  timeoutMs,
  idleTimeoutMs = 0,
  streamTimeoutMs = 0,
  retries,
  settings,
  clusters,
}: OutboundExplanation): string {
  if (clusters.length === 0) return ''
  const whole = timeoutMs === undefined || timeoutMs === 0 ? 'no request timeout' : `request timeout ${timeoutMs} ms`
  const silent = idleTimeoutMs === 0 ? '' : `, silent for at most ${idleTimeoutMs} ms`
  const timeout = `${whole}${silent}${streamTimeoutMs === 0 ? '' : `, over after at most ${streamTimeoutMs} ms`}`
  if (retries === undefined) return row('recovery', `${timeout}; no retries`) + settingRows(settings)
  const also =
    retries.onIfIdempotent.length === 0 ? '' : `, idempotent methods also on ${retries.onIfIdempotent.join(', ')}`
  return (
    row('recovery', `${timeout}; ${retries.attempts} retries on ${retries.on.join(', ')}${also}`) +
    settingRows(settings)
  )
}

const sessionRow = ({ session }: OutboundExplanation): string =>
  session === undefined
    ? ''
    : row('session', `by ${session.by}, ${session.at === undefined ? 'none yet' : `at ${session.at}`}`)

function faultsRow({ faults }: OutboundExplanation): string {
  const parts = [
    ...(faults?.delay === undefined ? [] : [`${percentOf(faults.delay.share)} held up for ${faults.delay.ms} ms`]),
    ...(faults?.abort === undefined
      ? []
      : [`${percentOf(faults.abort.share)} answered with ${abortText(faults.abort)}`]),
    ...(faults?.bandwidth === undefined
      ? []
      : [`${percentOf(faults.bandwidth.share)} of replies at ${faults.bandwidth.bytesPerSecond / 1024} KiB/s`]),
  ]
  return parts.length === 0 ? '' : row('faults', `made on purpose: ${parts.join(', ')}`)
}
const percentOf = (share: number): string => `${Math.round(share * 1e6) / 1e4} %`
const abortText = ({ status, grpcStatus }: { readonly status: number; readonly grpcStatus?: number }): string =>
  grpcStatus === undefined ? String(status) : `${grpcStatusNames[grpcStatus] ?? grpcStatus} (${status})`

function calleeRows({ workload, inbound }: Explained['callees'][number]): string {
  if (inbound === undefined) return row('callee', `${workload} has no sidecar that answers`)
  const chain = inbound.chain === undefined ? 'no filter chain' : `filter chain ${inbound.chain}`
  const filters = inbound.filters.map(({ action, tried }) =>
    tried.length === 0 ? row(action, 'no rule') : triedRows(action, tried),
  )
  return (
    row('callee', `${workload}, ${chain}${inbound.filters.length === 0 ? ', no authorization policy' : ''}`) +
    filters.join('') +
    (inbound.limits ?? []).map(limitRow).join('') +
    (inbound.asks ?? []).map(askRow).join('') +
    loadRow(inbound)
  )
}

function limitRow({ name, allowed, remaining, burst, perSecond, own, budget, origin }: LimitState): string {
  const left = `${remaining} of ${Math.floor(burst)} left${own ? ' for this caller' : ''}`
  const share = budget && `, a share of ${formatRate(budget.perSecond)} for ${budget.instances} instances`
  const from = origin === undefined ? '' : `   (${origin.resource} ${origin.field})`
  return row('limit', `${allowed ? '✓' : '✗'} ${name}: ${left}, ${formatRate(perSecond)}${share ?? ''}${from}`)
}

function askRow({ domain, cluster, timeoutMs, closed, descriptors, origin }: LimiterQuestion): string {
  const from = origin === undefined ? '' : `   (${origin.resource} ${origin.field})`
  const asked = descriptors.map((entries) => entries.map(([key, value]) => `${key}=${value}`).join(', ')).join('; ')
  const what = asked === '' ? 'is not asked: nothing of the request is for it' : `is asked about ${asked}`
  const otherwise = closed ? 'refused' : 'let through'
  return row(
    'limiter',
    `${cluster} ${what} (domain ${domain}; ${otherwise} without an answer in ${timeoutMs} ms)${from}`,
  )
}

function loadRow({ load }: InboundExplanation): string {
  if (load === undefined) return ''
  const { waiting, limit, baselineMs, measuring, origin } = load
  const baseline = baselineMs === undefined ? 'not measured yet' : `${Math.round(baselineMs * 100) / 100} ms`
  const from = origin === undefined ? '' : `   (${origin.resource} ${origin.field})`
  const now = measuring ? ', being measured now' : ''
  return row(
    'load',
    `${waiting < limit ? '✓' : '✗'} ${waiting} of ${limit} calls wait, latency without load ${baseline}${now}${from}`,
  )
}

function answerRow({ refused, clusters }: OutboundExplanation, callees: Explained['callees']): string {
  if (refused !== undefined) return row('answer', `${refused.status} ${refused.sentence}`)
  const told = callees.map(({ workload, inbound }) => {
    const no = inbound?.refused
    if (no === undefined) return `the program of ${workload}`
    return no.status === 0 ? no.sentence : `${no.status} ${no.sentence}`
  })
  if (clusters.some((one) => one.loadBalancing === 'dns'))
    return row('answer', 'whatever the host itself says: it is looked up by DNS, outside the mesh')
  return told.length === 0
    ? row('answer', 'nobody to ask: no endpoint may be picked')
    : told.map((text, index) => row(index === 0 ? 'answer' : '', text)).join('')
}
