import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { crc32 } from 'node:zlib'
import type { Clock } from '../../base/clock.ts'
import { formatKey, type ResourceKey } from '../decode/resource.ts'
import { byName, keptEvents } from './memory-store.ts'
import { planWrite, type WritePlan } from './plan-write.ts'
import { damaged, explain, openDatabase } from './sqlite-file.ts'
import type { Change, Store, StoredDocument, StoreEvent } from './store.ts'
import { createWatchers } from './watchers.ts'

/**
 * The embedded store: one SQLite file, its own history of the last 10,000 changes. Throws StoreError when the file is damaged, locked
 * or of a newer version; a write that the disk refuses rejects with StoreError and leaves everything as it was.
 */
export function openSqliteStore({
  file,
  clock,
  version = '',
}: {
  readonly file: string
  readonly clock: Clock
  /** Of this build; it is written down. */
  readonly version?: string
}): Store {
  const database = openDatabase(file, version)
  try {
    verifyDocuments(database, file)
  } catch (error) {
    database.close()
    throw error
  }
  const sql = prepare(database)
  const number = (name: string): number => Number(sql.readMeta.get(name)?.['value'])
  let revision = number('revision')
  let compacted = number('compacted')
  let closed = false

  const read = ({ kind, namespace, name }: ResourceKey): StoredDocument | undefined => {
    const row = sql.get.get(kind, namespace, name)
    return row === undefined ? undefined : documentOf(row['document'])
  }
  const watchers = createWatchers({
    revision: () => revision,
    compacted: () => compacted,
    read: (after, limit) => (closed ? [] : sql.events.all(after, limit).map(eventOf)),
  })
  const record = (plan: WritePlan): void => {
    for (const { key, revision: at, ...event } of plan.events) {
      const text = event.kind === 'put' ? JSON.stringify(event.document) : null
      const parts = [key.kind, key.namespace, key.name] as const
      if (text === null) sql.remove.run(...parts)
      else sql.put.run(...parts, at, text, crc32(text))
      sql.log.run(at, ...parts, text)
    }
    sql.writeMeta.run(String(revision + plan.events.length), 'revision')
  }
  /** In the transaction of a write now and then: old events go, but none that a watcher still has to hear. */
  const compactTo = (newest: number): number => {
    const floor = Math.min(newest - keptEvents, watchers.slowest())
    if (floor - compacted < keptEvents / 10) return compacted
    sql.forget.run(floor)
    sql.writeMeta.run(String(floor), 'compacted')
    return floor
  }
  const write = (changes: readonly Change[]): WritePlan => {
    const plan = planWrite(changes, { revision, wallMs: clock.wallMs(), read })
    if (plan.events.length === 0) return plan
    const newest = revision + plan.events.length
    database.exec('BEGIN IMMEDIATE')
    try {
      record(plan)
      const floor = compactTo(newest)
      database.exec('COMMIT')
      revision = newest
      compacted = floor
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK')
      throw explain(error, file, 'write to')
    }
    return plan
  }

  return {
    get: async (key) => read(key),
    list: async ({ kind, namespace } = {}) => ({
      items: sql.list
        .all(kind ?? null, kind ?? null, namespace ?? null, namespace ?? null)
        .map((row) => documentOf(row['document']))
        .toSorted(byName),
      revision,
    }),
    write: async (changes) => {
      const { result } = write(changes)
      watchers.wake()
      return result
    },
    watch: async (after, heard) => watchers.watch(after, heard),
    copyTo: async (target) => {
      try {
        database.prepare('VACUUM INTO ?').run(target)
        return undefined
      } catch (error) {
        throw explain(error, target, 'write to')
      }
    },
    close: async () => {
      if (closed) return
      closed = true
      watchers.stopAll()
      database.close()
    },
  }
}

/** SQLite notices torn pages, not flipped bytes inside a document: every one carries a CRC-32 that is checked at the start. */
export function verifyDocuments(database: DatabaseSync, file: string): void {
  for (const row of database.prepare('SELECT kind, namespace, name, document, checksum FROM resources').iterate()) {
    if (crc32(String(row['document'])) === row['checksum']) continue
    throw damaged(file, `the checksum of ${formatKey(keyOfRow(row))} is wrong`)
  }
}

// eslint-disable-next-line typescript/explicit-function-return-type -- the statements' own type says it
const prepare = (database: DatabaseSync) =>
  ({
    readMeta: database.prepare('SELECT value FROM meta WHERE name = ?'),
    writeMeta: database.prepare('UPDATE meta SET value = ? WHERE name = ?'),
    get: database.prepare('SELECT document FROM resources WHERE kind = ? AND namespace = ? AND name = ?'),
    list: database.prepare(
      'SELECT document FROM resources WHERE (? IS NULL OR kind = ?) AND (? IS NULL OR namespace = ?)',
    ),
    put: database.prepare('INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?)'),
    remove: database.prepare('DELETE FROM resources WHERE kind = ? AND namespace = ? AND name = ?'),
    log: database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?)'),
    forget: database.prepare('DELETE FROM events WHERE revision <= ?'),
    events: database.prepare('SELECT * FROM events WHERE revision > ? ORDER BY revision LIMIT ?'),
  }) as const

type Row = Record<string, SQLOutputValue>

const documentOf = (text: SQLOutputValue | undefined): StoredDocument => JSON.parse(String(text)) as StoredDocument

const keyOfRow = (row: Row): ResourceKey => ({
  kind: String(row['kind']),
  namespace: String(row['namespace']),
  name: String(row['name']),
})

function eventOf(row: Row): StoreEvent {
  const revision = Number(row['revision'])
  const key = keyOfRow(row)
  return row['document'] === null
    ? { kind: 'delete', revision, key }
    : { kind: 'put', revision, key, document: documentOf(row['document']) }
}
