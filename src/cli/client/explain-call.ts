import type { InboundExplanation, OutboundExplanation } from '../../proxy/explain/explain.ts'
import type { ExplainRequest } from '../../proxy/explain/request.ts'
import { textAt } from '../print/plain.ts'
import type { Explained } from '../print/explanation.ts'
import type { Answer, Client } from './client.ts'

type Failed = Extract<Answer<never>, { kind: 'failed' }>

/** Every decision for a request of the proxy `from`, asked of the sidecars that would take them. Nothing is sent. */
export async function explainCall(
  client: Client,
  from: string,
  request: ExplainRequest,
): Promise<{ readonly explained: Explained } | { readonly failed: Failed }> {
  const caller = await client.get<unknown>(`/v1/resources/Workload/${encoded(from)}`)
  const principal = caller.kind === 'failed' ? '' : (textAt(caller.value, 'status', 'identity') ?? '')
  const outbound = await askProxy<OutboundExplanation>(client, from, 'explain', request)
  if (outbound.kind === 'failed') return { failed: outbound }
  const callees = await calleesOf(client, outbound.value, request, principal)
  return { explained: { request, from, principal, outbound: outbound.value, callees } }
}

/** One endpoint of each cluster that may be picked: its sidecar says whether it would let the call in. */
async function calleesOf(
  client: Client,
  outbound: OutboundExplanation,
  request: ExplainRequest,
  principal: string,
): Promise<Explained['callees']> {
  const callees: Explained['callees'][number][] = []
  for (const { endpoints, settings, authority, path } of outbound.clusters) {
    const endpoint = endpoints.find((one) => one.candidate && one.workload !== undefined)
    if (endpoint?.workload === undefined) continue
    const { address, transport, serverName } = endpoint
    // Only gateways tell by it whom a call is for.
    const forWhom = settings.some(({ name }) => name === 'egressGateway') && serverName !== undefined && { serverName }
    const inbound = { address, principal: transport === 'mTLS' ? principal : '', ...forWhom }
    const detail = { ...request, authority, path, inbound }
    const answer = await askProxy<InboundExplanation>(client, endpoint.workload, 'explain', detail)
    callees.push({ workload: endpoint.workload, ...(answer.kind === 'value' ? { inbound: answer.value } : {}) })
  }
  return callees
}

/** A question to one sidecar (`<namespace>/<workload>`), which alone can answer it. */
export const askProxy = <T>(
  client: Client,
  proxy: string,
  what: 'explain' | 'probe',
  detail: unknown,
): Promise<Answer<T>> => client.post<T>(`/v1/proxies/${encoded(proxy)}/${what}`, JSON.stringify(detail))

const encoded = (name: string): string => name.split('/').map(encodeURIComponent).join('/')
