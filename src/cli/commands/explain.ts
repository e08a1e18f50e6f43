import type { ExplainRequest } from '../../proxy/explain/request.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { explainCall } from '../client/explain-call.ts'
import { findProxy } from '../client/find-proxy.ts'
import type { PlaceOptions } from '../client/place.ts'
import { explanationText } from '../print/explanation.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

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
    const answer = await explainCall(client, found.proxy, request)
    if ('failed' in answer) return failedAnswer(terminal, answer.failed)
    const { explained } = answer
    if (flags.output === undefined) terminal.out(explanationText(explained))
    else await printOne(terminal, explained, flags.output)
    return status.done
  })
}

/** "GET http://web/x?y" with "name: value" headers, as curl takes them. */
export function readRequest(
  method: string,
  url: string,
  headers: readonly string[],
): ExplainRequest | { readonly wrong: string } {
  const text = url.includes('://') ? url : `http://${url}`
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  const scheme = parsed?.protocol.slice(0, -1)
  if (parsed === undefined || (scheme !== 'http' && scheme !== 'https'))
    return { wrong: `the URL must be like http://web/path, not ${JSON.stringify(url)}` }
  if (!/^[A-Za-z]+$/.test(method))
    return { wrong: `the method comes first, such as GET, not ${JSON.stringify(method)}` }
  const read: (readonly [string, string])[] = []
  for (const header of headers) {
    const colon = header.indexOf(':')
    if (colon < 1) return { wrong: `-H takes "name: value", not ${JSON.stringify(header)}` }
    read.push([header.slice(0, colon).trim(), header.slice(colon + 1).trim()])
  }
  return {
    method: method.toUpperCase(),
    scheme,
    authority: parsed.host,
    path: parsed.pathname + parsed.search,
    headers: read,
  }
}
