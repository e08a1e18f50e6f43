import type { ServerDuplexStream } from '@grpc/grpc-js'
import { formatSpiffeId } from '../../base/spiffe-id.ts'
import type {
  AgentMessage,
  ControlMessage,
  Hello,
  JoinRequest,
  JoinResponse,
  SignRequest,
  SignResponse,
} from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import type { StoreEvent } from '../collect/store.ts'
import type { ResourceKey } from '../decode/resource.ts'
import { join, sign } from './join.ts'
import { createLeases } from './lease.ts'
import { codes, type AgentCaller, type AgentRefusal, type AgentServiceParts, type WorkloadState } from './parts.ts'
import { sessionStream, type Answered, type SessionStream } from './session-stream.ts'
import { instanceAnnotation } from './workload-document.ts'

type SessionCall = ServerDuplexStream<AgentMessage, ControlMessage>

/** A workload under a lease, for people. */
export interface SessionState {
  /** `<namespace>/<name>`. */
  readonly workload: string
  readonly state: WorkloadState
  /** The program's reason for not being ready. */
  readonly reason: string
  /** A session is open now; otherwise the lease still runs. */
  readonly connected: boolean
}

/** The control plane's side of every agent. */
export interface AgentSessions {
  /** What `weft.agent.v1.AgentService` does, for whoever hosts it over gRPC. */
  readonly handlers: {
    join(request: JoinRequest, caller: AgentCaller): Promise<JoinResponse | AgentRefusal>
    sign(request: SignRequest, caller: AgentCaller): Promise<SignResponse | AgentRefusal>
    session(call: SessionCall, caller: AgentCaller): void
  }
  /** A question to a workload's sidecar ("config", "clusters", "stats", "certs"); `workload` is `<namespace>/<name>`. */
  ask(workload: string, kind: string, json: unknown, timeoutMs: number): Promise<Answered>
  list(): readonly SessionState[]
  /** Ends every session; the workloads stay in the store and come back after a restart. */
  close(): void
}

/** One leased workload. */
interface Member {
  readonly instance: string
  state: WorkloadState
  reason: string
  stream: SessionStream | undefined
}

const helloTimeoutMs = 5000
/** The longest that a drain may wait, whatever an agent asks for. */
const drainLimitMs = 600_000
const retryRemovalMs = 1000

/**
 * Takes up every leased workload that the store has (alive for one restart term, and ready, since nobody has said otherwise: requests
 * must not fail because we restarted), then serves. Rejects only when the store does.
 */
export async function createAgentService(parts: AgentServiceParts): Promise<AgentSessions> {
  const { store, health, tokens, clock, log, leaseMs = 4000, graceMs = 2000, restartTermMs = 10_000 } = parts
  const members = new Map<string, Member>()
  const leases = createLeases(clock, (workload) => {
    log.info('workload gone: its agent is silent', { workload })
    void remove(workload)
  })
  let closed = false

  const setState = (workload: string, member: Member, state: WorkloadState, reason = ''): void => {
    member.state = state
    member.reason = reason
    health.set(workload, state)
  }

  /** Takes a workload out of the store, unless another instance has taken its name meanwhile. */
  const remove = async (workload: string): Promise<void> => {
    const member = members.get(workload)
    if (member === undefined) return
    leases.release(workload)
    try {
      const key = keyOf(workload)
      const there = await store.get(key)
      if (members.get(workload) !== member || leases.held(workload)) return
      members.delete(workload)
      member.stream?.send({ case: 'gone', value: { $typeName: 'weft.agent.v1.Gone', reason: 'the lease was lost' } })
      member.stream?.end('the workload was removed')
      if (there?.metadata.annotations[instanceAnnotation] === member.instance) await store.write([{ delete: key }])
      health.forget(workload)
    } catch (error) {
      log.error('workload not removed from the store', { workload, cause: String(error) })
      members.set(workload, member)
      if (!closed) leases.hold(workload, retryRemovalMs)
    }
  }

  const adopt = (workload: string, instance: string, state: WorkloadState, termMs: number): void => {
    const known = members.get(workload)
    if (known === undefined) members.set(workload, { instance, state, reason: '', stream: undefined })
    if (known === undefined) health.set(workload, state)
    leases.hold(workload, termMs)
  }

  /** Undefined when `hello` speaks for a workload that this caller is. */
  const refuseHello = async (
    hello: Hello,
    caller: AgentCaller,
  ): Promise<{ gone: string } | AgentRefusal | undefined> => {
    const { namespace, workload: name, instance } = hello
    const claims = caller.local ? tokens.unsealSession(hello.sessionToken) : undefined
    const stranger = { code: codes.unauthenticated, details: 'the caller is not this workload; join first' }
    if (caller.local && (claims?.namespace !== namespace || claims.workload !== name || claims.instance !== instance))
      return stranger
    const document = await store.get({ kind: 'Workload', namespace, name })
    if (document?.metadata.annotations[instanceAnnotation] !== instance)
      return { gone: 'the workload is not known here' }
    const { serviceAccount = '' } = (document.spec ?? {}) as { serviceAccount?: string }
    const identity = formatSpiffeId({ trustDomain: parts.ca.trustDomain, namespace, serviceAccount })
    return caller.local || caller.spiffeId === identity ? undefined : stranger
  }

  const session = (call: SessionCall, caller: AgentCaller): void => {
    const stream = sessionStream(call, clock)
    let mine: { workload: string; member: Member } | undefined
    let greeted = false
    const helloTimer = clock.after(
      helloTimeoutMs,
      () => refuseCall(call, { code: codes.invalidArgument, details: 'no Hello came' }),
      { background: true },
    )
    const greet = async (hello: Hello): Promise<void> => {
      helloTimer.cancel()
      const refusal = await refuseHello(hello, caller)
      if (call.cancelled || closed) return
      if (refusal !== undefined && 'code' in refusal) return refuseCall(call, refusal)
      const workload = `${hello.namespace}/${hello.workload}`
      if (refusal !== undefined) {
        stream.send({ case: 'gone', value: { $typeName: 'weft.agent.v1.Gone', reason: refusal.gone } })
        return stream.end(refusal.gone)
      }
      adopt(workload, hello.instance, 'not-ready', leaseMs)
      const member = members.get(workload)
      if (member === undefined) return
      const before = member.stream
      member.stream = stream
      before?.end('the agent opened another session')
      mine = { workload, member }
      stream.send({ case: 'welcome', value: { $typeName: 'weft.agent.v1.Welcome', leaseMs } })
    }
    const heard = ({ message }: AgentMessage): void => {
      if (message.case === 'hello' && !greeted) {
        greeted = true
        // What follows waits for the answer from the store.
        call.pause()
        void greet(message.value).then(
          () => call.resume(),
          (error: unknown) => {
            log.error('session refused', { cause: String(error) })
            refuseCall(call, { code: codes.unavailable, details: 'the store did not answer' })
          },
        )
        return
      }
      if (mine === undefined || members.get(mine.workload) !== mine.member || mine.member.stream !== stream) return
      const { workload, member } = mine
      leases.hold(workload, leaseMs)
      if (message.case === 'readiness' && member.state !== 'draining') {
        setState(workload, member, message.value.ready ? 'ready' : 'not-ready', message.value.reason.slice(0, 500))
      } else if (message.case === 'drain') {
        void drain(workload, member, Math.min(message.value.deadlineMs, drainLimitMs))
      } else if (message.case === 'answer') stream.answered(message.value)
    }
    const drain = async (workload: string, member: Member, deadlineMs: number): Promise<void> => {
      setState(workload, member, 'draining')
      const laggards = await parts.removalAcked(workload, deadlineMs).catch((error: unknown) => [String(error)])
      if (laggards.length > 0) log.warn('drained, but not everywhere', { workload, laggards: laggards.join(' ') })
      stream.send({ case: 'drained', value: { $typeName: 'weft.agent.v1.Drained', laggards: [...laggards] } })
    }
    let over = false
    /** `proper`: the agent said goodbye by ending its side. */
    const finish = (proper: boolean): void => {
      if (over) return
      over = true
      helloTimer.cancel()
      const current = mine !== undefined && members.get(mine.workload) === mine.member && mine.member.stream === stream
      if (mine === undefined || !current) return stream.end('the session is over')
      const { workload, member } = mine
      member.stream = undefined
      if (closed) return
      // A broken stream says nothing about the program: clients keep its endpoint until the grace is over.
      if (!proper && member.state !== 'draining') {
        log.debug('session broken', { workload })
        leases.hold(workload, graceMs)
        return stream.end('the session broke')
      }
      void remove(workload).finally(() => stream.end('the workload left'))
    }
    call.on('data', heard)
    call.on('cancelled', () => finish(false))
    call.on('error', () => finish(false))
    call.on('close', () => finish(false))
    // A broken connection ends the reading side too: let 'cancelled' come first.
    call.on('end', () => setImmediate(() => finish(!call.cancelled)))
  }

  const deletedByOthers = (events: readonly StoreEvent[]): void => {
    for (const { kind, key } of events) {
      if (kind !== 'delete' || key.kind !== 'Workload') continue
      const workload = `${key.namespace}/${key.name}`
      const member = members.get(workload)
      if (member === undefined) continue
      members.delete(workload)
      leases.release(workload)
      health.forget(workload)
      member.stream?.send({
        case: 'gone',
        value: { $typeName: 'weft.agent.v1.Gone', reason: 'the workload was deleted' },
      })
      member.stream?.end('the workload was deleted')
    }
  }

  const found = await store.list({ kind: 'Workload' })
  for (const { metadata } of found.items) {
    const instance = metadata.annotations[instanceAnnotation]
    if (instance !== undefined) adopt(`${metadata.namespace}/${metadata.name}`, instance, 'ready', restartTermMs)
  }
  const watch = await store.watch(found.revision, deletedByOthers)

  return {
    handlers: {
      join: (request, caller) =>
        join(request, caller, {
          parts,
          joined: (workload, instance) => adopt(workload, instance, 'not-ready', leaseMs),
        }),
      sign: (request, caller) => sign(request, caller, parts),
      session,
    },
    ask(workload, kind, json, timeoutMs) {
      const stream = members.get(workload)?.stream
      return stream?.ask(kind, json, timeoutMs) ?? Promise.resolve({ failed: `no agent is connected for ${workload}` })
    },
    list: () =>
      [...members].map(([workload, { state, reason, stream }]) => ({
        workload,
        state,
        reason,
        connected: stream !== undefined,
      })),
    close() {
      closed = true
      if (watch.kind === 'watching') watch.stop()
      leases.close()
      for (const { stream } of members.values()) stream?.end('the control plane stops')
    },
  }
}

const keyOf = (workload: string): ResourceKey => {
  const slash = workload.indexOf('/')
  return { kind: 'Workload', namespace: workload.slice(0, slash), name: workload.slice(slash + 1) }
}

/** How grpc-js ends a server stream with a status. */
const refuseCall = (call: SessionCall, { code, details }: AgentRefusal): void =>
  void call.emit('error', { code, details })
