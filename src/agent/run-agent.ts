import { randomUUID } from 'node:crypto'
import { isIP } from 'node:net'
import { formatAddress } from '../base/address.ts'
import { programEnvironment } from './capture/environment.ts'
import { explicitEnvironment } from './capture/explicit.ts'
import { openNamespace, type Namespace } from './capture/namespace/namespace.ts'
import { keepSession, type ControlSession } from './control-session.ts'
import { findControlPlane, sourceAddress, type ControlPlaneDoor } from './find-control-plane.ts'
import { bindListeners, type Listeners } from './listeners.ts'
import { joinMesh, type ControlFailure, type Membership } from './membership.ts'
import { refused, type AgentOptions, type AgentParts, type Refused } from './options.ts'
import { findCommand, startProgram, type Program } from './program.ts'
import { answersOn, probeReadiness } from './readiness-probe.ts'
import { ownSidecarScript, superviseSidecar, type Question, type Sidecar } from './sidecar-process.ts'
import { listenForStop, type StopSignals } from './stop-signals.ts'

const drainMs = 5000
/** The original destination of a connection is asked of the kernel by `node:ffi`, which warns that it is new. */
const capturedFlags = ['--disable-warning=ExperimentalWarning']
const questionMs = 5000
const questions: readonly string[] = ['config', 'clusters', 'stats', 'certs', 'explain'] satisfies readonly Question[]

/**
 * `weft run` from beginning to end: registers the workload, starts its sidecar and then the program, and takes all down in the order in
 * which no request is lost. Gives the exit status: the program's own, 128 + n after signal n, 1 failed, 2 wrong usage (said in a line).
 */
export async function runAgent(options: AgentOptions, parts: AgentParts): Promise<number> {
  const stop = listenForStop(parts.signals)
  try {
    const ended = await run(options, parts, stop)
    if (typeof ended === 'number') return ended
    parts.say(`weft run: ${ended.refused}`)
    return ended.status
  } finally {
    stop.close()
  }
}

async function run(options: AgentOptions, parts: AgentParts, stop: StopSignals): Promise<number | Refused> {
  const door = findControlPlane(options)
  if ('refused' in door) return door
  const namespace = await chooseCapture(options, parts)
  if (namespace !== undefined && 'refused' in namespace) return namespace
  try {
    const unusable = await checkProgram(options, parts, namespace)
    if (unusable !== undefined) return unusable
    return await runCaptured(options, parts, { door, namespace, stop })
  } finally {
    namespace?.close()
  }
}

/** The namespace that the program will live in; undefined: it is told of its sidecar instead. */
async function chooseCapture(
  { capture }: AgentOptions,
  { env, clock, log, say }: AgentParts,
): Promise<Namespace | Refused | undefined> {
  if (capture === 'explicit') return undefined
  const opened = await openNamespace({ env, clock, log })
  if (!('missing' in opened)) {
    if (capture === 'auto')
      say(
        'weft run: the program gets a network namespace of its own, where its calls are captured; "localhost" there is its own too ' +
          '(--capture explicit leaves it on the host, with HTTP_PROXY)',
      )
    return opened
  }
  if (capture === 'namespace') return refused(`--capture namespace does not work here: ${opened.missing}`)
  say(`weft run: capture is explicit (HTTP_PROXY), transparent capture does not work here: ${opened.missing}`)
  return undefined
}

async function runCaptured(
  options: AgentOptions,
  parts: AgentParts,
  { door, namespace, stop }: Omit<Ground, 'listeners'>,
): Promise<number | Refused> {
  const host = await inboundHost(options, parts, { door, stop })
  if (typeof host !== 'string') return host
  const listeners = bindListeners(options, host, namespace)
  if ('refused' in listeners) return listeners
  for (const port of listeners.taken)
    parts.say(`weft run: another program has port ${port} of this machine: only the mesh reaches this one's`)
  try {
    return await runRegistered(options, parts, { door, listeners, namespace, stop })
  } finally {
    listeners.close()
  }
}

interface Ground {
  readonly door: ControlPlaneDoor
  readonly listeners: Listeners
  readonly namespace: Namespace | undefined
  readonly stop: StopSignals
}

async function runRegistered(options: AgentOptions, parts: AgentParts, ground: Ground): Promise<number | Refused> {
  const { door, listeners, namespace, stop } = ground
  const { clock, random, log } = parts
  const instance = randomUUID()
  const reached = await untilReached(parts, { door, stop, wait: options.wait }, () =>
    joinMesh(joinWish(options, { listeners, instance, captured: namespace !== undefined }), {
      door,
      clock,
      random,
      log,
    }),
  )
  if (typeof reached === 'number' || 'refused' in reached) return reached
  const member = reached.member
  const sidecar = superviseSidecar({
    script: parts.sidecarScript ?? ownSidecarScript(),
    flags: [...(parts.sidecarFlags ?? []), ...(namespace === undefined ? [] : capturedFlags)],
    sockets: listeners.all,
    start: () => startMessage(options, member, listeners),
    connectInside: namespace && ((port) => namespace.connect(port)),
    env: parts.env,
    clock,
    random,
    log,
  })
  member.identity.watch((identity) => sidecar.setIdentity(identity))
  const answer = (kind: string, detail: unknown) =>
    questions.includes(kind)
      ? sidecar.ask({ what: kind as Question, detail }, questionMs)
      : Promise.resolve({ failed: `this agent knows no "${kind}"` })
  const session = keepSession({ door, member, instance, answer, clock, random, log })
  try {
    const up = await Promise.race([sidecar.ready, stop.asked])
    if (typeof up === 'number') return up
    if ('failed' in up) return refused(`the sidecar did not start: ${up.failed}`)
    return await runProgram(options, parts, { member, listeners, namespace, stop, session, sidecar })
  } finally {
    member.close()
    await sidecar.drain(stop.hurried ? 0 : drainMs)
    await session.leave()
  }
}

interface Running {
  readonly member: Membership
  readonly listeners: Listeners
  readonly namespace: Namespace | undefined
  readonly stop: StopSignals
  readonly session: ControlSession
  readonly sidecar: Sidecar
}

/** The program's whole life. The sidecar is ready before it starts and is still there after it has ended. */
async function runProgram(options: AgentOptions, parts: AgentParts, running: Running): Promise<number> {
  const { member, listeners, namespace: inside, stop, session } = running
  const { service, namespace, ports, command } = options
  const told = {
    service,
    namespace,
    workload: member.joined.workload,
    admin: `http://${formatAddress(listeners.admin.address)}`,
  }
  const program =
    inside === undefined
      ? startProgram(command, explicitEnvironment(parts.env, { ...told, proxy: listeners.outbound.address }))
      : inside.start(command, programEnvironment(parts.env, told))
  const probe = probeReadiness(
    ports.map((port) => port.targetPort),
    {
      clock: parts.clock,
      answers: inside && ((port) => inside.answersOn(port)),
      changed(readiness) {
        session.setReadiness(readiness)
        parts.log.info(readiness.ready ? 'ready' : 'not ready', {
          workload: member.joined.workload,
          reason: readiness.reason || undefined,
        })
      },
    },
  )
  try {
    const first = await Promise.race([program.ended.then(() => 'ended' as const), stop.asked])
    await drain(options, parts, running)
    return first === 'ended' ? await program.ended : await stopProgram(program, stop)
  } finally {
    probe.stop()
  }
}

/** Before the program hears of its end: no client may still have it among its endpoints. A second signal ends the wait. */
async function drain({ ports }: AgentOptions, { log }: AgentParts, { session, stop }: Running): Promise<void> {
  if (ports.length === 0) return
  const drained = await Promise.race([session.drain(drainMs), stop.again])
  if (Array.isArray(drained) && drained.length > 0)
    log.warn('some proxies were slow to let go', { proxies: drained.join(' ') })
}

/** Passes the signals on: the first, then each further one. */
async function stopProgram(program: Program, stop: StopSignals): Promise<number> {
  stop.passTo((signal) => program.signal(signal))
  return program.ended
}

async function checkProgram(
  { command, ports }: AgentOptions,
  { env, clock }: AgentParts,
  namespace: Namespace | undefined,
): Promise<Refused | undefined> {
  const found = findCommand(command[0], env)
  if ('refused' in found) return found
  const seen = new Set<number>()
  for (const { servicePort, targetPort } of ports) {
    if (seen.has(servicePort)) return refused(`port ${servicePort} is declared twice`, 2)
    seen.add(servicePort)
    // Else another program's answers would pass for this one's readiness.
    if (namespace === undefined && (await answersOn(targetPort, clock)))
      return refused(`port ${targetPort} is in use by another program`)
  }
  return undefined
}

/** Loopback on one machine; over the network the address from which we reach the control plane, unless told. */
async function inboundHost(
  { advertise, wait }: AgentOptions,
  parts: AgentParts,
  { door, stop }: { door: ControlPlaneDoor; stop: StopSignals },
): Promise<string | number | Refused> {
  if (advertise !== undefined) {
    return isIP(advertise) === 0
      ? refused(`--advertise ${advertise}: give an IP address of this machine`, 2)
      : advertise
  }
  const found = await untilReached<{ readonly kind?: undefined; readonly host: string }>(
    parts,
    { door, stop, wait },
    async () => {
      const source = await sourceAddress(door.joinTarget, parts.clock)
      return 'host' in source ? source : { kind: 'unreachable', reason: source.unreachable }
    },
  )
  return typeof found === 'number' || 'refused' in found ? found : found.host
}

const firstRetryMs = 200
const longestRetryMs = 3000

/** Tries until the control plane answers, and says once what it waits for. Gives the exit status when a signal ends the wait. */
async function untilReached<T extends { readonly kind?: undefined }>(
  { say, clock, random, log }: AgentParts,
  { door, stop, wait }: { door: ControlPlaneDoor; stop: StopSignals; wait: boolean },
  attempt: () => Promise<T | ControlFailure>,
): Promise<T | number | Refused> {
  let said: string | undefined
  for (let failures = 0; ; failures++) {
    const result = await Promise.race([attempt(), stop.asked])
    if (typeof result === 'number') return result
    if (result.kind === undefined) {
      if (said !== undefined) say('weft run: the control plane answers')
      return result
    }
    if (result.kind === 'final') return refused(result.reason)
    const sentence = `the control plane at ${door.name} cannot be reached: ${result.reason}`
    if (!wait) return refused(sentence)
    if (said !== sentence) {
      say(`weft run: waiting: ${sentence}${door.local ? ' (is `weft up` running?)' : ''}`)
      said = sentence
    }
    log.debug('waiting for the control plane', { failures })
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 10)) * (0.5 + random.below(0.5))
    const stopped = await Promise.race([clock.sleep(delayMs), stop.asked])
    if (typeof stopped === 'number') return stopped
  }
}

type JoinWish = Parameters<typeof joinMesh>[0]
function joinWish(
  options: AgentOptions,
  { listeners, instance, captured }: { listeners: Listeners; instance: string; captured: boolean },
): JoinWish {
  const { inbound, outbound, admin } = listeners
  const { service, namespace, serviceAccount = service, labels, version } = options
  return {
    namespace,
    service,
    serviceAccount,
    labels: { ...labels },
    ports: inbound.map(({ port, socket }) => ({
      $typeName: 'weft.agent.v1.Port',
      name: port.name ?? '',
      servicePort: port.servicePort,
      targetPort: port.targetPort,
      protocol: port.protocol ?? '',
      inboundHost: socket.address.host,
      inboundPort: socket.address.port,
    })),
    outboundHost: outbound.address.host,
    outboundPort: outbound.address.port,
    capture: captured ? 'namespace' : 'explicit',
    instance,
    version,
    adminAddress: formatAddress(admin.address),
  }
}

function startMessage(
  { service }: AgentOptions,
  { joined, identity }: Membership,
  { admin, dns }: Listeners,
): StartMessage {
  return {
    kind: 'start',
    nodeId: joined.nodeId,
    xdsAddress: joined.xdsAddress,
    identity: identity.value,
    workload: joined.workload,
    namespace: joined.namespace,
    service,
    adminAddress: admin.address,
    ...(dns === undefined ? {} : { dnsAddress: dns.address, connectInside: true }),
    logLevel: 'warn',
  }
}
type StartMessage = ReturnType<Parameters<typeof superviseSidecar>[0]['start']>
