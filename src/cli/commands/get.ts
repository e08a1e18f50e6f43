import { systemClock } from '../../base/clock.ts'
import type { ResourceList, WatchLine } from '../../control/api/contract.ts'
import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { headingOf, rowOf } from '../print/columns.ts'
import { textAt } from '../print/plain.ts'
import { printList, printOne, type Format } from '../print/structured.ts'
import { formatTable } from '../print/table.ts'
import { status, type Terminal } from '../terminal.ts'

/** Flags of `weft get`. */
export interface GetFlags extends PlaceOptions {
  readonly namespace?: string
  readonly allNamespaces?: boolean
  readonly watch?: boolean
  readonly output?: Format
}

/** The path of one resource, for kinds with and without namespace alike: the API ignores the namespace of the latter. */
export const resourcePath = (kind: string, namespace: string, name: string): string =>
  `/v1/resources/${[kind, namespace, name].map(encodeURIComponent).join('/')}`

/** Lists a kind, or shows one resource; with `watch` goes on until interrupted. */
export function get(kind: string, name: string | undefined, flags: GetFlags, terminal: Terminal): Promise<number> {
  const namespace = flags.allNamespaces === true ? '' : (flags.namespace ?? 'default')
  return withClient(flags, terminal, async (client) => {
    const list = `/v1/resources/${encodeURIComponent(kind)}?namespace=${encodeURIComponent(namespace)}`
    if (flags.watch === true) {
      const only = name === undefined ? '' : `&name=${encodeURIComponent(name)}`
      const ended = await client.follow(`${list}&watch=true${only}`, watchPrinter(flags, terminal))
      return ended.kind === 'failed' ? failedAnswer(terminal, ended) : status.done
    }
    if (name !== undefined) {
      const answer = await client.get<unknown>(resourcePath(kind, flags.namespace ?? 'default', name))
      if (answer.kind === 'failed') return failedAnswer(terminal, answer)
      if (flags.output !== undefined) await printOne(terminal, answer.value, flags.output)
      else printTable([answer.value], false, terminal)
      return status.done
    }
    const answer = await client.get<ResourceList>(list)
    if (answer.kind === 'failed') return failedAnswer(terminal, answer)
    const { items } = answer.value
    if (flags.output !== undefined) await printList(terminal, items, flags.output)
    else if (items.length > 0) printTable(items, flags.allNamespaces === true, terminal)
    else terminal.err(`no ${kind} ${namespace === '' ? 'anywhere' : `in namespace ${namespace}; -A looks in all`}\n`)
    return status.done
  })
}

function printTable(items: readonly unknown[], showNamespace: boolean, { out }: Terminal): void {
  const heading = headingOf(textAt(items[0], 'kind'), showNamespace)
  out(
    formatTable(
      heading,
      items.map((item) => rowOf(item, showNamespace, systemClock.wallMs())),
    ),
  )
}

/** One line a change; with `-o` one JSON line, whichever format: a stream has no end to close a list with. */
function watchPrinter({ output, allNamespaces }: GetFlags, terminal: Terminal): (line: unknown) => void {
  let headed = false
  return (line) => {
    if (output !== undefined) return terminal.out(`${JSON.stringify(line)}\n`)
    const change = line as WatchLine
    if (change.kind === 'delete') return terminal.out(`${change.resource} deleted\n`)
    const shown = formatTable(headingOf(textAt(change.resource, 'kind'), allNamespaces === true), [
      rowOf(change.resource, allNamespaces === true, systemClock.wallMs()),
    ])
    terminal.out(headed ? shown.slice(shown.indexOf('\n') + 1) : shown)
    headed = true
  }
}
