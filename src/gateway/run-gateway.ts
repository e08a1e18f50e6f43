import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { answerQuestion, defaultFinishMs } from '../agent/answer-question.ts'
import { keepSession } from '../agent/control-session.ts'
import { findControlPlane, type ControlPlaneDoor } from '../agent/find-control-plane.ts'
import { joinMesh } from '../agent/membership.ts'
import { refused, type AgentParts, type Refused } from '../agent/options.ts'
import { inboundHost, untilReached } from '../agent/reach.ts'
import { drainMs } from '../agent/run-program.ts'
import { ownSidecarScript } from '../agent/sidecar-process.ts'
import { createSocketDesk, formatSocket, type DeskState } from '../agent/socket-desk.ts'
import { startSidecar } from '../agent/start-sidecar.ts'
import { bindSocket, type HeldSocket } from '../agent/sockets.ts'
import { listenForStop, type StopSignals } from '../agent/stop-signals.ts'
import { formatAddress } from '../base/address.ts'
import { settleMemory } from '../base/memory.ts'
import { startHealth, type Health } from './health.ts'
import { loopbackOf } from './loopback.ts'
import type { GatewayOptions } from './options.ts'

const command = 'weft gateway'

/**
 * `weft gateway` from beginning to end: registers an instance, starts its proxy, opens and closes sockets as the Gateway's listeners
 * come and go, and on a signal lets calls in flight finish. Gives the exit status: 0 after a signal, 1 failed, 2 wrong usage.
 */
export async function runGateway(options: GatewayOptions, parts: AgentParts): Promise<number> {
  const stop = listenForStop(parts.signals)
  try {
    const ended = await run(options, parts, stop)
    if (ended === undefined) return 0
    parts.say(`${command}: ${ended.refused}`)
    return ended.status
  } finally {
    stop.close()
  }
}

async function run(options: GatewayOptions, parts: AgentParts, stop: StopSignals): Promise<Refused | undefined> {
  const door = findControlPlane(options)
  if ('refused' in door) return door
  const place = await choosePlace(options, parts)
  if ('refused' in place) return place
  try {
    const address = await advertised(options, place, parts, { door, stop })
    if (typeof address === 'number') return undefined
    return typeof address === 'string' ? await runAt(options, parts, { ...place, address, door, stop }) : address
  } finally {
    place.admin.close()
    place.health?.close()
  }
}

interface Place {
  /** IP address that listeners are bound to. */
  readonly host: string
  readonly admin: HeldSocket
  /** Absent: `host` is shared with others. */
  readonly health?: Health
}

/** On a loopback address of a gateway's own. As Istio's users know it. */
const adminPort = 15_000
const attempts = 64

/** Where this instance listens: where it was told, else on a loopback address that no other gateway has. */
async function choosePlace(
  { namespace, name, bind, admin }: GatewayOptions,
  { say }: AgentParts,
): Promise<Place | Refused> {
  const shared = (host: string): Place | Refused => {
    const socket = bindSocket(admin ?? { host: '127.0.0.1', port: 0 }, 'admin address')
    return 'refused' in socket ? socket : { host, admin: socket }
  }
  if (bind !== undefined)
    return isIP(bind) === 0 ? refused(`--bind ${bind}: give an IP address of this machine`, 2) : shared(bind)
  let last = ''
  for (let attempt = 0; attempt < attempts; attempt++) {
    const host = loopbackOf(`${namespace}/${name}`, attempt)
    const health = await startHealth(host)
    if (!('refused' in health)) {
      const socket = bindSocket(admin ?? { host, port: adminPort }, 'admin address')
      if (!('refused' in socket)) return { host, admin: socket, health }
      health.close()
      return socket
    }
    last = health.refused
    if (!last.includes('EADDRINUSE')) break
  }
  say(`${command}: there is no loopback address of its own (${last}), so it listens on 127.0.0.1; --bind HOST chooses`)
  return shared('127.0.0.1')
}

/** What the status of the Gateway says: somebody else must be able to use it. */
function advertised(
  options: GatewayOptions,
  { host }: Place,
  parts: AgentParts,
  reach: { readonly door: ControlPlaneDoor; readonly stop: StopSignals },
): Promise<string | number | Refused> {
  const wildcard = host === '0.0.0.0' || host === '::'
  return options.advertise === undefined && !wildcard ? Promise.resolve(host) : inboundHost(options, parts, reach)
}

interface Ground extends Place {
  readonly address: string
  readonly door: ControlPlaneDoor
  readonly stop: StopSignals
}

async function runAt(options: GatewayOptions, parts: AgentParts, ground: Ground): Promise<Refused | undefined> {
  const { clock, random, log, say } = parts
  const { host, address, admin, health, door, stop } = ground
  const { name, namespace, wait, locality = '', version } = options
  const instance = randomUUID()
  const wish = {
    namespace,
    service: name,
    serviceAccount: name,
    labels: {},
    ports: [],
    outboundHost: '',
    outboundPort: 0,
    capture: 'explicit',
    locality,
    instance,
    version,
    proxy: 'weft',
    adminAddress: formatAddress(admin.address),
    workers: options.workers,
    gateway: {
      $typeName: 'weft.agent.v1.GatewayInstance' as const,
      bindHost: host,
      address,
      portMap: Object.fromEntries(options.portMap),
    },
  }
  const reached = await untilReached(parts, { door, stop, wait, command }, () =>
    joinMesh(wish, { door, clock, random, log }),
  )
  if (typeof reached === 'number') return undefined
  if ('refused' in reached) return reached
  const { member } = reached
  const said = sayer(`${namespace}/${name}`, say)
  let told: (state: DeskState) => void = said
  const desk = createSocketDesk({ clock, changed: (state) => told(state) })
  const sidecar = await startSidecar({ ...options, service: name }, member, {
    script: parts.sidecarScript ?? ownSidecarScript(),
    flags: parts.sidecarFlags ?? [],
    sockets: [admin],
    desk,
    start: () => ({
      kind: 'start',
      nodeId: member.joined.nodeId,
      xdsAddress: member.joined.xdsAddress,
      identity: member.identity.value,
      workload: member.joined.workload,
      namespace: member.joined.namespace,
      service: name,
      adminAddress: admin.address,
      socketsOnDemand: true,
      logLevel: 'warn',
    }),
    env: parts.env,
    clock,
    random,
    log,
  })
  member.identity.watch((identity) => sidecar.setIdentity(identity))
  const answer = (kind: string, detail: unknown) => answerQuestion(sidecar, kind, detail)
  stop.onUpgrade(() => void sidecar.upgrade(defaultFinishMs))
  const session = keepSession({ door, member, instance, answer, clock, random, log })
  session.setReadiness(readinessOf({ open: [], missing: [] }))
  told = (state) => {
    const readiness = readinessOf(state)
    session.setReadiness(readiness)
    health?.set(readiness.ready)
    said(state)
  }
  say(
    `${command}: instance ${namespace}/${member.joined.workload} started, admin at http://${formatAddress(admin.address)}`,
  )
  try {
    const up = await Promise.race([sidecar.ready, stop.asked])
    if (typeof up === 'object' && 'failed' in up) return refused(`the proxy did not start: ${up.failed}`)
    settleMemory(clock)
    await stop.asked
    health?.set(false)
    // Whoever chooses among instances hears of it before connections are refused.
    await Promise.race([session.drain(drainMs), stop.again])
    return undefined
  } finally {
    member.close()
    await sidecar.drain(stop.hurried ? 0 : drainMs)
    desk.close()
    await session.leave()
  }
}

/** Ready once every listener has its socket. */
function readinessOf({ open, missing }: DeskState): { readonly ready: boolean; readonly reason: string } {
  if (missing.length > 0) return { ready: false, reason: missing.map(({ reason }) => reason).join('; ') }
  return open.length > 0
    ? { ready: true, reason: '' }
    : { ready: false, reason: 'the Gateway has no listener to serve' }
}

/** Tells people what is open and what cannot be, each state once. */
function sayer(gateway: string, say: AgentParts['say']): (state: DeskState) => void {
  let before = ''
  return ({ open, missing }) => {
    const lines = missing.map(({ address, reason }) => {
      const remedy = reason.includes('privilege') ? `; bind another port with --port-map ${address.port}=PORT` : ''
      return `${command}: ${reason}${remedy}`
    })
    if (lines.length === 0 && open.length > 0)
      lines.push(`${command}: ${gateway} listens on ${open.map(formatSocket).toSorted().join(', ')}`)
    const now = lines.join('\n')
    if (now !== before && now !== '') say(now)
    before = now
  }
}
