import { create } from '@bufbuild/protobuf'
import { formatSpiffeId } from '../../base/spiffe-id.ts'
import type { SignedCertificate } from '../../ca/authority.ts'
import {
  CertificateSchema,
  JoinResponseSchema,
  SignResponseSchema,
  type Certificate,
  type JoinRequest,
  type JoinResponse,
  type SignRequest,
  type SignResponse,
} from '../../xds/gen/weft/agent/v1/agent_pb.ts'
import { readJoinRequest, reservedNamespace, type JoinWish } from './join-request.ts'
import { codes, type AgentCaller, type AgentRefusal, type AgentServiceParts } from './parts.ts'
import { instanceAnnotation, workloadDocument, workloadName } from './workload-document.ts'
import { parseSpiffeId } from '../../base/spiffe-id.ts'

type Parts = Pick<AgentServiceParts, 'store' | 'health' | 'ca' | 'tokens' | 'xdsAddress' | 'usedBy'>

/** Other instances' names that a new one may run into before it gives up: with 36⁵ names this does not happen. */
const nameAttempts = 5

/**
 * Gives a workload its identity and its resource. `joined` is called after the identity is signed and before the resource is written,
 * so that the lease is there first.
 */
export async function join(
  request: JoinRequest,
  caller: AgentCaller,
  { parts, joined }: { parts: Parts; joined: (workload: string, instance: string) => void },
): Promise<JoinResponse | AgentRefusal> {
  const { store, ca, tokens, xdsAddress } = parts
  const refusal = (code: number, details: string): AgentRefusal => ({ code, details })
  const claims = caller.local && request.token === '' ? {} : tokens.verify(request.token)
  if ('refused' in claims) return refusal(codes.unauthenticated, claims.refused)
  const wish = readJoinRequest(request)
  if ('problems' in wish) return refusal(codes.invalidArgument, wish.problems.join('; '))
  for (const [what, bound, wished] of [
    ['namespace', claims.namespace, wish.namespace],
    ['service account', claims.serviceAccount, wish.serviceAccount],
  ] as const) {
    if (bound !== undefined && bound !== wished) {
      return refusal(codes.permissionDenied, `the join token is for ${what} "${bound}", not "${wished}"`)
    }
  }
  const { namespace, serviceAccount, instance } = wish
  const spiffeId = formatSpiffeId({ trustDomain: ca.trustDomain, namespace, serviceAccount })
  const signed = await ca.signWorkload(request.csr, spiffeId)
  if ('refused' in signed) return refusal(codes.invalidArgument, signed.refused)
  const name = await freeName(wish, parts)
  if (name === undefined) return refusal(codes.unavailable, 'no free name for the workload')
  const workload = `${namespace}/${name}`
  joined(workload, instance)
  await store.write([{ put: workloadDocument(name, wish) }])
  return create(JoinResponseSchema, {
    workload: name,
    namespace,
    spiffeId,
    certificate: certificateMessage(signed, parts),
    xdsAddress: xdsAddress(),
    nodeId: workload,
    sessionToken: caller.local ? tokens.sealSession({ namespace, workload: name, instance, spiffeId }) : '',
    trustDomain: ca.trustDomain,
    used: [...parts.usedBy(`${namespace}/${wish.service}`)],
  })
}

async function freeName({ namespace, service, instance }: JoinWish, { store }: Parts): Promise<string | undefined> {
  for (let attempt = 0; attempt < nameAttempts; attempt++) {
    const name = workloadName(service, instance, attempt)
    const there = await store.get({ kind: 'Workload', namespace, name })
    if (there === undefined || there.metadata.annotations[instanceAnnotation] === instance) return name
  }
  return undefined
}

/** A new key for the identity that the caller has shown: by its certificate, or locally by the session token of its Join. */
export async function sign(
  request: SignRequest,
  caller: AgentCaller,
  parts: Parts,
): Promise<SignResponse | AgentRefusal> {
  const { ca, tokens } = parts
  const spiffeId = caller.spiffeId ?? (caller.local ? tokens.unsealSession(request.sessionToken)?.spiffeId : undefined)
  const id = spiffeId === undefined ? undefined : parseSpiffeId(spiffeId)
  if (spiffeId === undefined || id === undefined || id.trustDomain !== ca.trustDomain) {
    return { code: codes.unauthenticated, details: 'the caller has no identity here; join first' }
  }
  if (id.namespace === reservedNamespace)
    return { code: codes.permissionDenied, details: 'not an identity of a workload' }
  const signed = await ca.signWorkload(request.csr, spiffeId)
  if ('refused' in signed) return { code: codes.invalidArgument, details: signed.refused }
  return create(SignResponseSchema, { certificate: certificateMessage(signed, parts) })
}

const certificateMessage = (signed: SignedCertificate, { ca }: Parts): Certificate =>
  create(CertificateSchema, {
    chainPem: signed.chainPem,
    trustBundlePem: ca.trustBundlePem.value,
    notBeforeMs: BigInt(signed.notBeforeMs),
    notAfterMs: BigInt(signed.notAfterMs),
  })
