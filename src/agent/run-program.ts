import { isUdp } from '../base/app-protocol.ts'
import { formatAddress } from '../base/address.ts'
import { programEnvironment } from './capture/environment.ts'
import { explicitEnvironment } from './capture/explicit.ts'
import type { Namespace } from './capture/namespace/namespace.ts'
import type { ControlSession } from './control-session.ts'
import type { Listeners } from './listeners.ts'
import type { Membership } from './membership.ts'
import type { AgentOptions, AgentParts } from './options.ts'
import { startProgram, type Program } from './program.ts'
import { createFlapping, type Flapping } from './flapping.ts'
import { performCheck, type ReadinessCheck } from './readiness-check.ts'
import { probeReadiness } from './readiness-probe.ts'
import { restartAfterMs, stableRunMs } from './restart-policy.ts'
import type { Sidecar } from './sidecar-process.ts'
import type { StopSignals } from './stop-signals.ts'

/** What stands around a program while it lives. */
export interface Running {
  readonly member: Membership
  readonly listeners: Listeners
  readonly namespace: Namespace | undefined
  readonly stop: StopSignals
  readonly session: ControlSession
  readonly sidecar: Sidecar
}

/** The longest wait for every client to let go of a program that stops, and for its calls under way, ms. */
export const drainMs = 5000

/**
 * The program's whole life: started, told apart as ready or not, started again as the restart policy says, and drained at its end. The
 * sidecar is ready before it starts and is still there after it has ended. Gives the exit status.
 */
export async function runProgram(options: AgentOptions, parts: AgentParts, running: Running): Promise<number> {
  const { stop, session, namespace, sidecar } = running
  const { clock, random, say } = parts
  const env = environmentOf(options, parts, running)
  const flapping = createFlapping()
  let shortRuns = 0
  for (;;) {
    const startedMs = clock.nowMs()
    const program = startInPlace(options, parts, env, namespace)
    parts.happened?.('started')
    sidecar.setProgram(program.pid)
    const status = await untilEnded(program, { env, flapping }, options, parts, running)
    sidecar.setProgram(undefined)
    if (status === 'asked to stop') return program.ended
    shortRuns = clock.nowMs() - startedMs < stableRunMs ? shortRuns + 1 : 1
    const waitMs =
      namespace?.isOpen === false ? undefined : restartAfterMs(options.restart, { status, shortRuns }, random)
    if (waitMs === undefined) {
      await drain(options, parts, running)
      return status
    }
    const reason = `the program ended with status ${status}`
    session.setReadiness({ ready: false, reason: `${reason} and is started again` })
    say(`weft run: ${options.service}: ${reason}; it is started again in ${(waitMs / 1000).toFixed(1)} s`)
    const stopped = await untilStopped(waitMs, parts, stop)
    if (stopped !== undefined) return stopped
  }
}

/** Until the time is over, or somebody wants an end: its exit status. */
async function untilStopped(
  waitMs: number,
  { clock }: AgentParts,
  { asked }: StopSignals,
): Promise<number | undefined> {
  const over = new AbortController()
  const waited = clock.sleep(waitMs, over.signal).catch(() => {})
  const stopped = await Promise.race([waited, asked])
  over.abort()
  return typeof stopped === 'number' ? stopped : undefined
}

type Environment = Readonly<Record<string, string | undefined>>

function environmentOf(
  { service, namespace }: AgentOptions,
  { env }: AgentParts,
  { member, listeners }: Running,
): Environment {
  const told = {
    service,
    namespace,
    workload: member.joined.workload,
    admin: `http://${formatAddress(listeners.admin.address)}`,
  }
  return listeners.dns === undefined
    ? explicitEnvironment(env, { ...told, proxy: listeners.outbound.address })
    : programEnvironment(env, told)
}

const startInPlace = (
  { command }: AgentOptions,
  parts: AgentParts,
  env: Environment,
  inside: Namespace | undefined,
): Program => (inside === undefined ? startProgram(command, env, parts) : inside.start(command, env))

/** What is asked of the program to know whether it is ready. */
function checksOf(
  { ports, readiness }: AgentOptions,
  env: Environment,
  { clock }: AgentParts,
  inside: Namespace | undefined,
): readonly (() => Promise<string | undefined>)[] {
  const { checks, timeoutMs } = readiness
  const wanted: readonly ReadinessCheck[] =
    checks.length > 0
      ? checks
      : ports.filter(({ protocol }) => !isUdp(protocol)).map(({ targetPort }) => ({ kind: 'tcp', port: targetPort }))
  return wanted.map((check) =>
    inside === undefined
      ? () => performCheck(check, { clock, timeoutMs, env, prefix: [] })
      : () => inside.check(check, { timeoutMs, env }),
  )
}

/** One run of it: its status when it ended by itself. When asked to stop it is drained and has heard the signals. */
async function untilEnded(
  program: Program,
  { env, flapping }: { readonly env: Environment; readonly flapping: Flapping },
  options: AgentOptions,
  parts: AgentParts,
  running: Running,
): Promise<number | 'asked to stop'> {
  const { member, namespace: inside, stop, session } = running
  const probe = probeReadiness(checksOf(options, env, parts, inside), {
    clock: parts.clock,
    pace: options.readiness,
    flapping,
    changed(readiness) {
      session.setReadiness(readiness)
      parts.happened?.(readiness.ready ? 'ready' : 'unready')
      parts.log.info(readiness.ready ? 'ready' : 'not ready', {
        workload: member.joined.workload,
        reason: readiness.reason || undefined,
      })
    },
  })
  try {
    const first = await Promise.race([program.ended, stop.asked.then(() => 'asked to stop' as const)])
    if (first !== 'asked to stop') return first
    const leftMs = await drain(options, parts, running)
    // Calls that were sent before their callers had heard of it: the program may not be one that finishes what it has.
    await Promise.race([running.sidecar.drainInbound(leftMs), stop.again])
    stop.passTo((signal) => program.signal(signal))
    await program.ended
    return first
  } finally {
    probe.stop()
  }
}

/** No client may have it among its endpoints any more. A second signal ends the wait. Gives how much of the time for all that is left, ms. */
async function drain(
  { ports }: AgentOptions,
  { clock, log }: AgentParts,
  { session, stop }: Pick<Running, 'session' | 'stop'>,
): Promise<number> {
  if (ports.length === 0) return 0
  const startedMs = clock.nowMs()
  const drained = await Promise.race([session.drain(drainMs), stop.again])
  if (Array.isArray(drained) && drained.length > 0)
    log.warn('some proxies were slow to let go', { proxies: drained.join(' ') })
  return Math.max(0, startedMs + drainMs - clock.nowMs())
}
