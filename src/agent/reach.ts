import { isIP } from 'node:net'
import { sourceAddress, type ControlPlaneDoor } from './find-control-plane.ts'
import type { ControlFailure } from './membership.ts'
import { refused, type AgentOptions, type AgentParts, type Refused } from './options.ts'
import type { StopSignals } from './stop-signals.ts'

/** Loopback on one machine; over the network the address from which we reach the control plane, unless told. */
export async function inboundHost(
  { advertise, wait }: Pick<AgentOptions, 'advertise' | 'wait'>,
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
export async function untilReached<T extends { readonly kind?: undefined }>(
  { say, clock, random, log }: AgentParts,
  {
    door,
    stop,
    wait,
    command = 'weft run',
  }: { door: ControlPlaneDoor; stop: StopSignals; wait: boolean; command?: string },
  attempt: () => Promise<T | ControlFailure>,
): Promise<T | number | Refused> {
  let said: string | undefined
  for (let failures = 0; ; failures++) {
    const result = await Promise.race([attempt(), stop.asked])
    if (typeof result === 'number') return result
    if (result.kind === undefined) {
      if (said !== undefined) say(`${command}: the control plane answers`)
      return result
    }
    if (result.kind === 'final') return refused(result.reason)
    const sentence = `the control plane at ${door.name} cannot be reached: ${result.reason}`
    if (!wait) return refused(sentence)
    if (said !== sentence) {
      say(`${command}: waiting: ${sentence}${door.local ? ' (is `weft up` running?)' : ''}`)
      said = sentence
    }
    log.debug('waiting for the control plane', { failures })
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 10)) * (0.5 + random.below(0.5))
    const stopped = await Promise.race([clock.sleep(delayMs), stop.asked])
    if (typeof stopped === 'number') return stopped
  }
}
