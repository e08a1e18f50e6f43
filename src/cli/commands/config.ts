import type { ConfigQuestion } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import { findProxy } from '../client/find-proxy.ts'
import type { PlaceOptions } from '../client/place.ts'
import { at } from '../print/plain.ts'
import { printOne, type Format } from '../print/structured.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'

/** Flags of `weft config`. */
export interface ConfigFlags extends PlaceOptions {
  readonly namespace?: string
  readonly output?: Format
}

/** What each word asks the sidecar, and which part of the answer it means. */
const questions: Readonly<Record<string, { readonly what: ConfigQuestion; readonly part?: string }>> = {
  all: { what: 'config' },
  listeners: { what: 'config', part: 'listeners' },
  routes: { what: 'config', part: 'routes' },
  clusters: { what: 'config', part: 'clusters' },
  endpoints: { what: 'clusters' },
  certs: { what: 'certs' },
}

/** Prints what a sidecar itself says it runs, as YAML unless JSON is asked for. */
export function config(
  proxy: string,
  part: string | undefined,
  flags: ConfigFlags,
  terminal: Terminal,
): Promise<number> {
  const question = questions[part ?? 'all']
  if (question === undefined)
    return Promise.resolve(
      misused(terminal, 'config', `${JSON.stringify(part)} is none of ${Object.keys(questions).join(', ')}`),
    )
  return withClient(flags, terminal, async (client) => {
    const found = await findProxy(client, proxy, flags.namespace)
    if ('failed' in found) return failedAnswer(terminal, found.failed)
    if ('sentence' in found) return fail(terminal, found.sentence)
    const [namespace = '', name = ''] = found.proxy.split('/')
    const path = `/v1/proxies/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}/config?what=${question.what}`
    const answer = await client.get<unknown>(path)
    if (answer.kind === 'failed') return failedAnswer(terminal, answer)
    // The sidecar's answer: { config: { listeners, routes, clusters, … }, … }.
    const shown =
      question.part === undefined ? answer.value : (at(answer.value, 'config', question.part) ?? answer.value)
    await printOne(terminal, shown, flags.output ?? 'yaml')
    return status.done
  })
}
