import { randomUUID } from 'node:crypto'
import { isUdp } from '../base/app-protocol.ts'
import { settleMemory } from '../base/memory.ts'
import { answerQuestion, defaultFinishMs } from './answer-question.ts'
import { openHostCapture, type CaptureSockets } from './capture/host/host-capture.ts'
import { openNamespace, type Namespace } from './capture/namespace/namespace.ts'
import { keepSession } from './control-session.ts'
import { findEnvoy } from './envoy/find-envoy.ts'
import { forkEarly, type EarlySidecar, type ForkParts } from './fork-sidecar.ts'
import { findControlPlane, type ControlPlaneDoor } from './find-control-plane.ts'
import { whileServing } from './gated-readiness.ts'
import { joinWish, startMessage } from './introduce.ts'
import { bindListeners, type Listeners } from './listeners.ts'
import { joinMesh, type Membership } from './membership.ts'
import { refused, type AgentOptions, type AgentParts, type Refused } from './options.ts'
import { findCommand } from './program.ts'
import { inboundHost, untilReached } from './reach.ts'
import { answersOn } from './readiness-check.ts'
import { drainMs, runProgram } from './run-program.ts'
import { ownSidecarScript, type Sidecar } from './sidecar-process.ts'
import { startSidecar } from './start-sidecar.ts'
import { listenForStop, type StopSignals } from './stop-signals.ts'

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
  const envoy = options.envoy && findEnvoy(options.envoy, parts)
  if (envoy !== undefined && 'refused' in envoy) return envoy
  const early = envoy === undefined && options.workers === 1 ? forkEarly(forkParts(parts)) : undefined
  try {
    return await runUnderway(options, parts, { door, stop, early, envoy: envoy?.file })
  } finally {
    early?.close()
  }
}

/** What `run` found before anything was opened. */
interface Underway {
  readonly door: ControlPlaneDoor
  readonly stop: StopSignals
  readonly early: EarlySidecar | undefined
  /** Envoy's file; undefined: the sidecar is Weft's own. */
  readonly envoy: string | undefined
}

async function runUnderway(options: AgentOptions, parts: AgentParts, underway: Underway): Promise<number | Refused> {
  const namespace = await chooseCapture(options, parts)
  if (namespace !== undefined && 'refused' in namespace) return namespace
  const onHost = options.capture === 'host' ? await openHostCapture(parts.env, process.getuid?.() ?? -1) : undefined
  if (onHost !== undefined && 'refused' in onHost) return onHost
  try {
    const unusable = await checkProgram(options, parts, namespace)
    if (unusable !== undefined) return unusable
    return await runCaptured(options, parts, { ...underway, namespace, onHost })
  } finally {
    namespace?.close()
    onHost?.close()
  }
}

/** The namespace that the program will live in; undefined: it is told of its sidecar instead. */
async function chooseCapture(
  { capture, envoy }: AgentOptions,
  { env, output, clock, log, say }: AgentParts,
): Promise<Namespace | Refused | undefined> {
  // No socket of a namespace can be handed to an Envoy outside of it.
  if (capture === 'explicit' || capture === 'host' || envoy !== undefined) return undefined
  const opened = await openNamespace({ env, output, clock, log })
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
  { onHost, ...ground }: Omit<Ground, 'listeners'> & { readonly onHost: CaptureSockets | undefined },
): Promise<number | Refused> {
  const { namespace } = ground
  const host = await inboundHost(options, parts, ground)
  if (typeof host !== 'string') return host
  const listeners = bindListeners(options, host, namespace, onHost)
  if ('refused' in listeners) return listeners
  for (const port of listeners.taken)
    parts.say(`weft run: another program has port ${port} of this machine: only the mesh reaches this one's`)
  try {
    return await runRegistered(options, parts, { ...ground, listeners })
  } finally {
    listeners.close()
  }
}

interface Ground extends Underway {
  readonly listeners: Listeners
  readonly namespace: Namespace | undefined
}

async function runRegistered(options: AgentOptions, parts: AgentParts, ground: Ground): Promise<number | Refused> {
  const { door, listeners, namespace, stop } = ground
  const { clock, random, log } = parts
  const instance = randomUUID()
  const reached = await untilReached(parts, { door, stop, wait: options.wait }, () =>
    joinMesh(joinWish(options, { listeners, instance }), {
      door,
      clock,
      random,
      log,
    }),
  )
  if (typeof reached === 'number' || 'refused' in reached) return reached
  const member = reached.member
  const sidecar = await startProxy(options, parts, { ...ground, member })
  if ('failed' in sidecar) {
    member.close()
    return refused(sidecar.failed)
  }
  member.identity.watch((identity) => sidecar.setIdentity(identity))
  stop.onUpgrade(() => void upgrade(sidecar, options, parts))
  const answer = (kind: string, detail: unknown) => answerQuestion(sidecar, kind, detail)
  const session = whileServing(keepSession({ door, member, instance, answer, clock, random, log }), sidecar)
  try {
    const up = await Promise.race([sidecar.ready, stop.asked])
    if (typeof up === 'number') return up
    if ('failed' in up) return refused(`the sidecar did not start: ${up.failed}`)
    settleMemory(clock)
    return await runProgram(options, parts, { member, listeners, namespace, stop, session, sidecar })
  } finally {
    member.close()
    await sidecar.drain(stop.hurried ? 0 : drainMs)
    await session.leave()
  }
}

/** Weft's own, or Envoy, whose part is loaded only then: it knows messages of xDS. */
async function startProxy(
  options: AgentOptions,
  parts: AgentParts,
  { envoy, early, listeners, namespace, member }: Ground & { readonly member: Membership },
): Promise<Sidecar | { readonly failed: string }> {
  const { clock, random, log } = parts
  if (envoy !== undefined) {
    const { superviseEnvoy } = await import('./envoy/supervise-envoy.ts')
    return superviseEnvoy(envoy, options, { ...parts, member, listeners })
  }
  return startSidecar(options, member, {
    ...forkParts(parts),
    early,
    sockets: listeners.all,
    start: () => startMessage(options, member, listeners),
    connectInside: namespace && ((port) => namespace.connect(port)),
    allowDatagrams: namespace && ((allow) => namespace.allowDatagrams(allow)),
    clock,
    random,
    log,
  })
}

const forkParts = ({ sidecarScript, sidecarFlags, env, output }: AgentParts): ForkParts => ({
  script: sidecarScript ?? ownSidecarScript(),
  flags: sidecarFlags ?? [],
  env,
  ...(output === undefined ? {} : { output }),
})

/** By SIGHUP: nobody waits for an answer. */
async function upgrade(sidecar: Sidecar, { service }: AgentOptions, { say }: AgentParts): Promise<void> {
  const done = await sidecar.upgrade(defaultFinishMs)
  say(
    'failed' in done
      ? `weft run: ${service}: no new sidecar: ${done.failed}`
      : `weft run: ${service}: a new sidecar (process ${done.after}) serves after ${done.tookMs} ms; ${done.before} finishes what it has`,
  )
}

async function checkProgram(
  { command, ports }: AgentOptions,
  { env, clock }: AgentParts,
  namespace: Namespace | undefined,
): Promise<Refused | undefined> {
  const found = findCommand(command[0], env)
  if ('refused' in found) return found
  const seen = new Set<number>()
  for (const { servicePort, targetPort, protocol } of ports) {
    if (seen.has(servicePort)) return refused(`port ${servicePort} is declared twice`, 2)
    seen.add(servicePort)
    // Else another program's answers would pass for this one's readiness.
    if (isUdp(protocol) && namespace !== undefined)
      return refused(
        `port ${servicePort} takes datagrams, which do not come into a network namespace of the program's own; use --capture explicit`,
        2,
      )
    if (namespace === undefined && !isUdp(protocol) && (await answersOn(targetPort, clock)))
      return refused(`port ${targetPort} is in use by another program`)
  }
  return undefined
}
