import type { ClusterChoice } from '../../proxy/explain/cluster.ts'
import type { ProbeResult } from '../../proxy/probe.ts'
import type { Explained } from '../print/explanation.ts'
import { findingsAbout, type Finding, type Findings } from './finding.ts'

/** A probe and what the sidecars say about the same call; raw TCP has nothing to explain. */
export interface Probed {
  readonly from: string
  /** As it was asked for. */
  readonly to: string
  readonly result: ProbeResult
  readonly explained?: Explained
}

/** Step by step along the way, up to the first that fails. Pure. */
export function probeSteps(probed: Probed): readonly Finding[] {
  const about = findingsAbout(`${probed.from} → ${probed.to}`)
  const steps: Finding[] = []
  for (const step of [name, route, endpoint, connect, mtls, authorized, program]) {
    const finding = step(probed, about)
    if (finding === undefined) continue
    steps.push(finding)
    if (finding.state === 'failed') break
  }
  return steps
}

type Step = (probed: Probed, findings: Findings) => Finding | undefined

const name: Step = ({ to, result: { service, fault } }, { ok, bad }) =>
  service === undefined
    ? bad(
        'failed',
        'name',
        fault?.sentence ?? `${to} is no service of the mesh`,
        'weft get services -A; a Service of another namespace is NAME.NAMESPACE',
      )
    : ok('name', `${to} is ${service}`)

const route: Step = ({ result: { protocol, fault }, explained }, { ok, bad }) => {
  if (fault?.kind === 'config-timeout' || fault?.kind === 'no-route' || fault?.kind === 'no-cluster')
    return bad(
      'failed',
      'route',
      fault.sentence,
      'weft proxies says whether it is in step; weft describe shows the routes of the service',
    )
  if (protocol === 'tcp') return ok('route', 'raw TCP: straight to the service')
  const taken = explained?.outbound.tried.find(({ why }) => why === undefined)
  if (taken === undefined) return undefined
  const from = taken.origin === undefined ? '' : ` (${taken.origin.resource} ${taken.origin.field})`
  return ok('route', `${taken.name}${from}`)
}

const endpoint: Step = ({ result, explained }, { ok, bad }) => {
  const clusters: readonly Pick<ClusterChoice, 'endpoints' | 'cluster'>[] =
    result.cluster === undefined ? (explained?.outbound.clusters ?? []) : [result.cluster]
  const all = clusters.flatMap(({ endpoints }) => endpoints)
  const usable = all.filter(({ candidate }) => candidate)
  if (result.endpoint !== undefined) return ok('endpoint', `${usable.length} of ${all.length} may be picked`)
  // The route answers by itself.
  if (result.status !== undefined) return undefined
  const why = result.fault?.sentence ?? 'none may be picked'
  const unwell = all.map(({ address, health, checkFailed }) => `${address} ${checkFailed ?? health}`).join(', ')
  return bad(
    'failed',
    'endpoint',
    unwell === '' ? why : `${why}: ${unwell}`,
    all.length === 0
      ? 'enrol an instance: weft run --service NAME --port PORT -- COMMAND'
      : 'weft get workloads says why an instance is not ready',
  )
}

const connect: Step = ({ result: { endpoint: at, workload, fault } }, { ok, bad }) => {
  if (at === undefined) return undefined
  if (fault?.kind === 'connect-failed' || fault?.kind === 'connect-timeout' || fault?.kind === 'overflow')
    return bad(
      'failed',
      'connect',
      fault.sentence,
      'does its sidecar run, and does a network or firewall lie between? weft run --inbound and --advertise say where it is reached',
    )
  return ok('connect', `${at}${workload === undefined ? '' : ` (${workload})`}`)
}

const mtls: Step = ({ result: { endpoint: at, principal, fault } }, { ok, bad }) => {
  if (at === undefined) return undefined
  if (fault?.kind === 'tls-failed')
    return bad(
      'failed',
      'mTLS',
      fault.sentence,
      "weft config WORKLOAD certs shows both sides' certificates; do the clocks agree?",
    )
  if (principal !== undefined) return ok('mTLS', `proven: ${principal}`)
  // Broken off by who was reached: later steps say why.
  if (fault !== undefined) return undefined
  return bad(
    'warning',
    'mTLS',
    'none: this instance is reached in plain text',
    'it has no sidecar: enrol it with weft run',
  )
}

const authorized: Step = ({ result: { endpoint: at }, explained }, { ok, bad }) => {
  if (at === undefined || explained === undefined) return undefined
  const refusal = explained.callees.find(({ inbound }) => inbound?.refused !== undefined)
  if (refusal?.inbound?.refused !== undefined)
    return bad(
      'failed',
      'authorized',
      `${refusal.workload}: ${refusal.inbound.refused.sentence}`,
      'weft explain shows the rules that were asked; change the AuthorizationPolicy, or call as another',
    )
  const silent = explained.callees.find(({ inbound }) => inbound === undefined)
  if (silent !== undefined)
    return bad(
      'warning',
      'authorized',
      `the sidecar of ${silent.workload} does not say`,
      `weft check ${silent.workload}`,
    )
  return explained.callees.length === 0 ? undefined : ok('authorized', explained.principal || 'in plain text')
}

const program: Step = ({ result: { status, fault, protocol, tookMs } }, { ok, bad }) => {
  const remedy = 'the way there is open: look at the program, its output and the port it listens on'
  if (fault !== undefined) return bad('failed', 'program', fault.sentence, remedy)
  if (protocol === 'tcp') return ok('program', `keeps the connection (${tookMs} ms)`)
  const says = `answers ${status} (${tookMs} ms)`
  return status !== undefined && status >= 500 ? bad('failed', 'program', says, remedy) : ok('program', says)
}
