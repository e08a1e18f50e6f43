import { create } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { connectGrpc, grpcMethod, type GrpcConnection } from '../xds/grpc-client.ts'
import type { GrpcCall } from '../xds/grpc.ts'
import {
  AgentMessageSchema,
  AgentService,
  type AgentMessage,
  type ControlMessage,
  type Request,
} from '../xds/gen/weft/agent/v1/agent_pb.ts'
import type { ControlPlaneDoor } from './find-control-plane.ts'
import type { Membership } from './membership.ts'
import type { Readiness } from './readiness-probe.ts'
import type { SidecarAnswer } from './sidecar-process.ts'

/** The agent's end of the Session: it comes back by itself after every break. */
export interface ControlSession {
  setReadiness(readiness: Readiness): void
  /**
   * Asks for our removal from every client's endpoints and waits for it, at most `deadlineMs`. Gives the proxies that have not
   * acknowledged; "away" at once when the control plane cannot be reached.
   */
  drain(deadlineMs: number): Promise<readonly string[] | 'away'>
  /** Says goodbye: the workload is gone from the mesh when this resolves, or after a short while without an answer. */
  leave(): Promise<void>
}

const firstRetryMs = 100
/** Short, since after a restart of the control plane our lease runs. */
const longestRetryMs = 1500
const goodbyeMs = 2000
/** Until Welcome says it. */
const assumedLeaseMs = 4000

/** Opens the Session and keeps it: beats three times a lease, reports readiness, answers questions, joins again when it is forgotten. */
export function keepSession(parts: {
  readonly door: ControlPlaneDoor
  readonly member: Membership
  readonly instance: string
  readonly answer: (kind: string, detail: unknown) => Promise<SidecarAnswer>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}): ControlSession {
  const { door, member, instance, clock, random, log } = parts
  let link: { connection: GrpcConnection; call: GrpcCall<AgentMessage>; welcome: boolean } | undefined
  let beat: Timer | undefined
  let retry: Timer | undefined
  let failures = 0
  let leaving = false
  let readiness: Readiness = { ready: false, reason: 'starting' }
  let drained: ((laggards: readonly string[] | 'away') => void) | undefined
  let left: (() => void) | undefined

  const send = (message: AgentMessage['message']): void => void link?.call.send(create(AgentMessageSchema, { message }))
  const sendReadiness = (): void =>
    send({ case: 'readiness', value: { $typeName: 'weft.agent.v1.Readiness', ...readiness } })
  const beatEvery = (periodMs: number): void => {
    beat?.cancel()
    beat = clock.every(periodMs, () => send({ case: 'heartbeat', value: { $typeName: 'weft.agent.v1.Heartbeat' } }), {
      background: true,
    })
  }
  const open = (): void => {
    const { namespace, workload, sessionToken, trustDomain } = member.joined
    const connection = connectGrpc(door.memberTarget(member.identity.value, trustDomain), { clock, log })
    let forgotten = false
    const call = connection.stream(grpcMethod(AgentService.method.session), {
      message(message) {
        if (message.message.case === 'gone') forgotten = true
        if (link?.call === call) heard(message)
      },
      end({ code, message }) {
        connection.close()
        if (link?.call === call) lost(forgotten ? 'forgotten' : 'broken', `${message || 'ended'} (${code})`)
      },
    })
    link = { connection, call, welcome: false }
    send({ case: 'hello', value: { $typeName: 'weft.agent.v1.Hello', namespace, workload, instance, sessionToken } })
    sendReadiness()
    beatEvery(assumedLeaseMs / 3)
  }
  const heard = ({ message }: ControlMessage): void => {
    if (message.case === 'welcome') {
      if (failures > 0) log.info('the control plane is back')
      failures = 0
      if (link !== undefined) link.welcome = true
      beatEvery(Math.max(100, message.value.leaseMs / 3))
      member.hurry()
    } else if (message.case === 'request') void reply(message.value)
    else if (message.case === 'drained') settleDrain(message.value.laggards)
    else if (message.case === 'gone')
      log.warn('the control plane has forgotten this workload', { reason: message.value.reason })
  }
  const reply = async ({ id, kind, json: detail }: Request): Promise<void> => {
    const answer = await parts.answer(kind, readDetail(detail))
    const json = 'json' in answer ? new TextEncoder().encode(JSON.stringify(answer.json ?? null)) : new Uint8Array()
    const error = 'failed' in answer ? answer.failed : ''
    send({ case: 'answer', value: { $typeName: 'weft.agent.v1.Answer', id, json, error } })
  }
  const settleDrain = (laggards: readonly string[] | 'away'): void => {
    drained?.(laggards)
    drained = undefined
  }
  const lost = (how: 'forgotten' | 'broken', reason: string): void => {
    link = undefined
    beat?.cancel()
    settleDrain('away')
    left?.()
    if (leaving) return
    if (failures === 1) log.warn('the control plane is away; the sidecar goes on with what it knows', { reason })
    else log.debug('no session', { reason })
    const delayMs = Math.min(longestRetryMs, firstRetryMs * 2 ** Math.min(failures, 10)) * (0.5 + random.below(0.5))
    failures++
    retry = clock.after(delayMs, () => void (how === 'forgotten' || member.expired ? joinAgain() : open()), {
      background: true,
    })
  }
  const joinAgain = async (): Promise<void> => {
    const failure = await member.rejoin()
    if (leaving) return
    if (failure === undefined) return open()
    if (failure.kind === 'final') log.error('the control plane refuses this workload', { reason: failure.reason })
    lost('forgotten', failure.reason)
  }
  open()
  return {
    setReadiness(next) {
      readiness = next
      sendReadiness()
    },
    drain: (deadlineMs) =>
      new Promise((resolve) => {
        if (link?.welcome !== true) return resolve('away')
        // The control plane keeps the deadline; this is for one that stops answering.
        const late = clock.after(deadlineMs + 500, () => settleDrain('away'))
        drained = (laggards) => {
          late.cancel()
          resolve(laggards)
        }
        send({ case: 'drain', value: { $typeName: 'weft.agent.v1.Drain', deadlineMs } })
      }),
    leave: () =>
      new Promise((resolve) => {
        leaving = true
        retry?.cancel()
        if (link === undefined) return resolve()
        const { connection, call } = link
        const late = clock.after(goodbyeMs, () => connection.close())
        left = () => {
          late.cancel()
          resolve()
        }
        call.end()
      }),
  }
}

/** The question's own words; undefined when there are none, or none that can be read. */
function readDetail(json: Uint8Array): unknown {
  try {
    return json.length === 0 ? undefined : (JSON.parse(new TextDecoder().decode(json)) as unknown)
  } catch {
    return undefined
  }
}
