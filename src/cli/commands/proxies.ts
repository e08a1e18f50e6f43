import type { ProxyState } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { printList, type Format } from '../print/structured.ts'
import { formatAge, formatTable } from '../print/table.ts'
import { status, type Terminal } from '../terminal.ts'

const types = ['LDS', 'RDS', 'CDS', 'EDS', 'SDS', 'NDS']

/** A line a proxy: is everything that was sent in force there? What was refused follows with the proxy's own reason. */
export function proxies(flags: PlaceOptions & { readonly output?: Format }, terminal: Terminal): Promise<number> {
  return withClient(flags, terminal, async (client) => {
    const answer = await client.get<readonly ProxyState[]>('/v1/proxies')
    if (answer.kind === 'failed') return failedAnswer(terminal, answer)
    if (flags.output !== undefined) await printList(terminal, answer.value, flags.output)
    else if (answer.value.length === 0)
      terminal.err('no proxy is connected; start one with: weft run --service NAME -- COMMAND\n')
    else terminal.out(proxyTable(answer.value))
    return status.done
  })
}

/** The table and, below it, every refused resource, and what a proxy does not do. */
export function proxyTable(states: readonly ProxyState[]): string {
  const shown = states.toSorted((a, b) => (a.proxy < b.proxy ? -1 : 1))
  const rows = shown.map((state) => [
    state.workers === undefined ? state.proxy : `${state.proxy} (${state.workers} workers)`,
    `${state.connected ? 'connected' : 'GONE'} ${formatAge(state.forMs)}`,
    state.revision === 0 ? '-' : String(state.revision),
    ...types.map((type) => cell(state, type)),
  ])
  const refused = shown.flatMap(({ proxy, types: all }) =>
    all.flatMap(({ type, rejected }) =>
      rejected.map(({ name, reason }) => `${proxy} refused ${type} ${name}: ${reason}\n`),
    ),
  )
  const undone = shown.flatMap(({ proxy, notEnforced = [] }) =>
    notEnforced.map(
      ({ what, resource, field }) => `${proxy} is Envoy, which does not do this: ${what} (${resource} ${field})\n`,
    ),
  )
  const notes = [...refused, ...undone]
  return formatTable(['PROXY', 'STATE', 'REVISION', ...types], rows) + (notes.length === 0 ? '' : `\n${notes.join('')}`)
}

function cell({ types: all, connected }: ProxyState, type: string): string {
  const state = all.find((one) => one.type === type)
  if (state === undefined) return '-'
  // What a proxy that has gone was sent says nothing about now.
  if (!connected && state.rejected.length === 0) return '-'
  if (state.rejected.length > 0) return `REJECTED ${state.rejected.length}/${state.resources}`
  return `${state.synced ? 'SYNCED' : 'STALE'} ${state.resources}`
}
