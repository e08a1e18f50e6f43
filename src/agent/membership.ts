import { create } from '@bufbuild/protobuf'
import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import { createKeyAndCsr, type KeyAndCsr } from '../ca/csr.ts'
import { overdue, renewAfterMs, retryRenewalAfterMs } from '../ca/renewal.ts'
import type { IdentityMaterial } from '../proxy/sidecar-messages.ts'
import { connectGrpc, grpcMethod } from '../xds/grpc-client.ts'
import type { GrpcTarget } from '../xds/grpc-target.ts'
import { grpcCodes, type GrpcMethod, type GrpcStatus } from '../xds/grpc.ts'
import {
  AgentService,
  JoinRequestSchema,
  SignRequestSchema,
  type Certificate,
  type JoinRequest,
  type JoinResponse,
} from '../xds/gen/weft/agent/v1/agent_pb.ts'
import type { ControlPlaneDoor } from './find-control-plane.ts'

/** Why a call to the control plane brought nothing. */
export interface ControlFailure {
  /** `final`: asking again with the same words will not help. */
  readonly kind: 'final' | 'unreachable'
  readonly reason: string
}

/** Who this workload is, from its first Join on. */
export interface Membership {
  /** Of the newest Join. */
  readonly joined: JoinResponse
  readonly identity: Watchable<IdentityMaterial>
  readonly expired: boolean
  /** Registers again: the control plane has forgotten us, or our certificate has run out. */
  rejoin(): Promise<ControlFailure | undefined>
  /** The control plane is back: a renewal that failed is tried at once. */
  hurry(): void
  /** Ends the renewals. */
  close(): void
}

type Wish = Omit<JoinRequest, '$typeName' | '$unknown' | 'csr' | 'token'>
interface Parts {
  readonly door: ControlPlaneDoor
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

const callTimeoutMs = 10_000
const finalCodes: readonly number[] = [grpcCodes.invalidArgument, grpcCodes.permissionDenied, grpcCodes.unauthenticated]

/** One Join with a fresh key, and from then on a certificate that is renewed at half life. */
export async function joinMesh(
  wish: Wish,
  parts: Parts,
): Promise<{ readonly kind?: undefined; readonly member: Membership } | ControlFailure> {
  const first = await join(wish, parts)
  return 'kind' in first ? first : { member: keepMembership(wish, first, parts) }
}

interface Joined {
  readonly joined: JoinResponse
  readonly identity: IdentityMaterial
}

async function join(wish: Wish, parts: Parts): Promise<Joined | ControlFailure> {
  const { door } = parts
  const key = await createKeyAndCsr()
  const request = create(JoinRequestSchema, { ...wish, token: door.secret, csr: key.csrDer })
  const reply = await callOnce(door.joinTarget, grpcMethod(AgentService.method.join), request, parts)
  if ('error' in reply) return failureOf(reply.error)
  const identity = material(reply.ok.spiffeId, key, reply.ok.certificate)
  return identity === undefined ? noCertificate : { joined: reply.ok, identity }
}

const noCertificate: ControlFailure = { kind: 'unreachable', reason: 'the control plane sent no certificate' }

function keepMembership(wish: Wish, first: Joined, parts: Parts): Membership {
  const { clock, random, log, door } = parts
  let joined = first.joined
  const identity = settable(first.identity)
  let issuedMs = clock.nowMs()
  let lifeMs = 0
  let failures = 0
  let closed = false
  let timer: Timer | undefined

  const take = (fresh: IdentityMaterial): void => {
    issuedMs = clock.nowMs()
    lifeMs = Math.max(0, fresh.notAfterMs - clock.wallMs())
    failures = 0
    identity.set(fresh)
    renewAfter(renewAfterMs(lifeMs, random))
  }
  const renewAfter = (delayMs: number): void => {
    timer?.cancel()
    if (!closed) timer = clock.after(delayMs, () => void renew(), { background: true })
  }
  const ageMs = (): number => clock.nowMs() - issuedMs
  const renew = async (): Promise<void> => {
    const failure = await tryRenewal()
    if (failure === undefined || closed) return
    const late = overdue(ageMs(), lifeMs)
    const level = late === 'no' ? 'info' : late === 'late' ? 'warn' : 'error'
    log[level]('certificate not renewed', {
      reason: failure.reason,
      ends: new Date(identity.value.notAfterMs).toISOString(),
    })
    renewAfter(retryRenewalAfterMs(++failures, lifeMs - ageMs(), random))
  }
  const tryRenewal = async (): Promise<ControlFailure | undefined> => {
    const key = await createKeyAndCsr()
    const { spiffeId, trustDomain, sessionToken } = joined
    const target = door.memberTarget(identity.value, trustDomain)
    const request = create(SignRequestSchema, { csr: key.csrDer, sessionToken })
    const reply = await callOnce(target, grpcMethod(AgentService.method.sign), request, parts)
    if ('error' in reply) return failureOf(reply.error)
    const fresh = material(spiffeId, key, reply.ok.certificate)
    if (fresh === undefined) return noCertificate
    log.debug('certificate renewed', { until: new Date(fresh.notAfterMs).toISOString() })
    if (!closed) take(fresh)
    return undefined
  }
  take(first.identity)
  return {
    get joined() {
      return joined
    },
    identity,
    get expired() {
      return ageMs() >= lifeMs
    },
    async rejoin() {
      const again = await join(wish, parts)
      if ('kind' in again) return again
      joined = again.joined
      if (!closed) take(again.identity)
      return undefined
    },
    hurry: () => void (failures > 0 && renewAfter(0)),
    close() {
      closed = true
      timer?.cancel()
    },
  }
}

/** A connection for one call: joins and renewals are rare. */
async function callOnce<I, O>(
  target: GrpcTarget,
  method: GrpcMethod<I, O>,
  request: I,
  { clock, log }: Parts,
): Promise<{ ok: O } | { error: GrpcStatus }> {
  const connection = connectGrpc(target, { clock, log })
  const reply = await connection.unary(method, request, { timeoutMs: callTimeoutMs })
  connection.close()
  return reply
}

const failureOf = ({ code, message }: GrpcStatus): ControlFailure => ({
  kind: finalCodes.includes(code) ? 'final' : 'unreachable',
  reason: message,
})

const material = (
  spiffeId: string,
  { keyPem }: KeyAndCsr,
  certificate: Certificate | undefined,
): IdentityMaterial | undefined =>
  certificate && {
    spiffeId,
    keyPem,
    chainPem: certificate.chainPem,
    trustBundlePem: certificate.trustBundlePem,
    notAfterMs: Number(certificate.notAfterMs),
  }
