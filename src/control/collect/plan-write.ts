import type { ResourceKey } from '../decode/resource.ts'
import { keyOf, keyText } from '../decode/resource.ts'
import { stored, unchanged } from './document-change.ts'
import type { Change, StoredDocument, StoreEvent, WriteResult } from './store.ts'

/** What a write comes to, before anything is touched: the events to record, and the answer. */
export interface WritePlan {
  readonly events: readonly StoreEvent[]
  readonly result: WriteResult
}

type Outcome = Extract<WriteResult, { kind: 'done' }>['outcomes'][number]

/** Pure: checks every expectation and numbers the changes from `revision` + 1. A later change sees the earlier ones of the same write. */
export function planWrite(
  changes: readonly Change[],
  {
    revision,
    wallMs,
    read,
  }: { revision: number; wallMs: number; read: (key: ResourceKey) => StoredDocument | undefined },
): WritePlan {
  const events: StoreEvent[] = []
  const outcomes: Outcome[] = []
  const written = new Map<string, StoredDocument | undefined>()
  const now = (key: ResourceKey): StoredDocument | undefined => {
    const text = keyText(key)
    return written.has(text) ? written.get(text) : read(key)
  }
  for (const change of changes) {
    const key = 'put' in change ? keyOf(change.put) : change.delete
    const before = now(key)
    const actual = before?.metadata.resourceVersion
    if (change.expected !== undefined && change.expected !== (actual ?? '')) {
      return { events: [], result: { kind: 'conflict', key, expected: change.expected, actual } }
    }
    const next = revision + events.length + 1
    if ('delete' in change) {
      outcomes.push(before === undefined ? 'absent' : 'deleted')
      if (before === undefined) continue
      events.push({ kind: 'delete', revision: next, key })
      written.set(keyText(key), undefined)
    } else {
      const same = unchanged(change.put, before)
      outcomes.push(same ? 'unchanged' : before === undefined ? 'created' : 'configured')
      if (same) continue
      const document = stored(change.put, before, { revision: next, wallMs })
      events.push({ kind: 'put', revision: next, key, document })
      written.set(keyText(key), document)
    }
  }
  return { events, result: { kind: 'done', revision: revision + events.length, outcomes } }
}
