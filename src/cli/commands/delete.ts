import { failedAnswer, withClient } from '../client/connect.ts'
import type { PlaceOptions } from '../client/place.ts'
import { readSources } from '../files.ts'
import { textAt } from '../print/plain.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { resourcePath } from './get.ts'

/** Flags of `weft delete`. */
export interface DeleteFlags extends PlaceOptions {
  readonly namespace?: string
  readonly filename?: readonly string[]
}

interface Target {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** Deletes what is named, or what the files describe; goes on after a failure and then ends with status 1. */
export async function remove(
  kind: string | undefined,
  names: readonly string[],
  flags: DeleteFlags,
  terminal: Terminal,
): Promise<number> {
  const targets = await findTargets(kind, names, flags, terminal)
  if (typeof targets === 'number') return targets
  return withClient(flags, terminal, async (client) => {
    let worst: number = status.done
    for (const target of targets) {
      const answer = await client.remove<{ resource: string }>(resourcePath(target.kind, target.namespace, target.name))
      if (answer.kind === 'value') terminal.out(`${answer.value.resource} deleted\n`)
      else worst = failedAnswer(terminal, answer)
    }
    return worst
  })
}

async function findTargets(
  kind: string | undefined,
  names: readonly string[],
  { filename, namespace = 'default' }: DeleteFlags,
  terminal: Terminal,
): Promise<readonly Target[] | number> {
  if (filename === undefined) {
    if (kind === undefined || names.length === 0)
      return misused(terminal, 'delete', 'name a KIND and one or more NAMEs, or give files with -f')
    return names.map((name) => ({ kind, namespace, name }))
  }
  if (kind !== undefined) return misused(terminal, 'delete', 'give either KIND and NAME or -f, not both')
  const read = await readSources(filename, terminal)
  if ('unreadable' in read) return fail(terminal, read.unreadable)
  const { fromYaml } = await import('../print/yaml.ts')
  const targets: Target[] = []
  for (const { file, text } of read.sources) {
    const parsed = fromYaml(text)
    if ('error' in parsed) return fail(terminal, `${file}: ${parsed.error}`)
    for (const value of parsed.documents) {
      const target = {
        kind: textAt(value, 'kind'),
        namespace: textAt(value, 'metadata', 'namespace') || namespace,
        name: textAt(value, 'metadata', 'name'),
      }
      if (target.kind === '' || target.name === '')
        return fail(terminal, `${file}: a document has no kind or no metadata.name`)
      targets.push(target)
    }
  }
  // What was written last may lean on what was written first.
  return targets.toReversed()
}
