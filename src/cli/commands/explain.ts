import type { Explanation, InboundExplanation, OutboundExplanation } from '../../proxy/explain.ts'
import type { ExplainRequest } from '../../proxy/explain-request.ts'
import type { Client } from '../client/client.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { findProxy } from '../client/find-proxy.ts'
import type { PlaceOptions } from '../client/place.ts'
import { explanationText, type Explained } from '../print/explanation.ts'
import { textAt } from '../print/plain.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { resourcePath } from './get.ts'

/** Flags of `weft explain`. */
export interface ExplainFlags extends PlaceOptions {
  readonly from?: string
  readonly namespace?: string
  readonly header?: readonly string[]
  readonly output?: Format
}

/** Every decision for a request that nobody sends: asked of the sidecars that would take them. */
export function explain(method: string, url: string, flags: ExplainFlags, terminal: Terminal): Promise<number> {
  const request = readRequest(method, url, flags.header ?? [])
  if ('wrong' in request) return Promise.resolve(misused(terminal, 'explain', request.wrong))
  return withClient(flags, terminal, async (client) => {
    const found = await findProxy(client, flags.from ?? '', flags.namespace, true)
    if ('failed' in found) return failedAnswer(terminal, found.failed)
    if ('sentence' in found)
      return fail(terminal, flags.from === undefined ? 'say who asks, with --from WORKLOAD or SERVICE' : found.sentence)
    const [namespace = '', name = ''] = found.proxy.split('/')
    const caller = await client.get<unknown>(resourcePath('workload', namespace, name))
    const principal = caller.kind === 'failed' ? '' : (textAt(caller.value, 'status', 'identity') ?? '')
    const outbound = await ask<OutboundExplanation>(client, found.proxy, request)
    if ('failed' in outbound) return failedAnswer(terminal, outbound.failed)
    const callees = await calleesOf(client, outbound.value, request, principal)
    const explained: Explained = { request, from: found.proxy, principal, outbound: outbound.value, callees }
    if (flags.output === undefined) terminal.out(explanationText(explained))
    else await printOne(terminal, explained, flags.output)
    return status.done
  })
}

/** One endpoint of each cluster that may be picked: its sidecar says whether it would let the call in. */
async function calleesOf(
  client: Client,
  outbound: OutboundExplanation,
  request: ExplainRequest,
  principal: string,
): Promise<Explained['callees']> {
  const callees: Explained['callees'][number][] = []
  for (const { endpoints, authority, path } of outbound.clusters) {
    const endpoint = endpoints.find((one) => one.candidate && one.workload !== undefined)
    if (endpoint?.workload === undefined) continue
    const inbound = { address: endpoint.address, principal: endpoint.mtls ? principal : '' }
    const answer = await ask<InboundExplanation>(client, endpoint.workload, { ...request, authority, path, inbound })
    callees.push({ workload: endpoint.workload, ...('value' in answer ? { inbound: answer.value } : {}) })
  }
  return callees
}

async function ask<T extends Explanation>(
  client: Client,
  proxy: string,
  request: ExplainRequest,
): Promise<{ value: T } | { failed: Extract<Awaited<ReturnType<Client['get']>>, { kind: 'failed' }> }> {
  const path = `/v1/proxies/${proxy.split('/').map(encodeURIComponent).join('/')}/explain`
  const answer = await client.post<T>(path, JSON.stringify(request))
  return answer.kind === 'failed' ? { failed: answer } : { value: answer.value }
}

/** "GET http://web/x?y" with "name: value" headers, as curl takes them. */
export function readRequest(
  method: string,
  url: string,
  headers: readonly string[],
): ExplainRequest | { readonly wrong: string } {
  const text = url.includes('://') ? url : `http://${url}`
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (parsed?.protocol !== 'http:') return { wrong: `the URL must be like http://web/path, not ${JSON.stringify(url)}` }
  if (!/^[A-Za-z]+$/.test(method))
    return { wrong: `the method comes first, such as GET, not ${JSON.stringify(method)}` }
  const read: (readonly [string, string])[] = []
  for (const header of headers) {
    const colon = header.indexOf(':')
    if (colon < 1) return { wrong: `-H takes "name: value", not ${JSON.stringify(header)}` }
    read.push([header.slice(0, colon).trim(), header.slice(colon + 1).trim()])
  }
  return { method: method.toUpperCase(), authority: parsed.host, path: parsed.pathname + parsed.search, headers: read }
}
