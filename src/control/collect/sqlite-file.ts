import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** The store cannot be opened or written; `message` is for the person who runs it and says what to do. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
}

/** Grows when tables change or their rows mean something else; a newer file is refused, an older one is migrated. */
export const schemaVersion = 2

/** What leads from each schema to the next. They are never changed once somebody may have a store of that schema. */
const migrations: Readonly<Record<number, string>> = {
  // `writer`: the version of Weft that opened the store last, so that an older one can say what it takes to read it.
  1: "INSERT INTO meta VALUES ('writer', '')",
}

const schema = `
  CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE resources (
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    revision INTEGER NOT NULL, document TEXT NOT NULL, checksum INTEGER NOT NULL,
    PRIMARY KEY (kind, namespace, name)
  ) WITHOUT ROWID;
  CREATE TABLE events (
    revision INTEGER PRIMARY KEY,
    kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
    document TEXT
  );
  INSERT INTO meta VALUES ('schema', '${schemaVersion}'), ('revision', '0'), ('compacted', '0'), ('writer', '');
`

/**
 * Opens or makes the database: readable by its owner alone, every commit on the disk before it is acknowledged, one process at a time
 * (the lock goes with the process, also after SIGKILL). One of an older schema becomes one of ours, whole or not at all. `writer`: our
 * version. Throws StoreError for anything that a person must see to.
 */
export function openDatabase(file: string, writer: string): DatabaseSync {
  const database = openFile(file)
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    // Takes the lock now, not at the first write.
    database.exec('BEGIN IMMEDIATE')
    if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").get() === undefined) database.exec(schema)
    database.exec('COMMIT')
    checkIntegrity(database, file)
    migrate(database, file)
    database.prepare("UPDATE meta SET value = ? WHERE name = 'writer'").run(writer)
    return database
  } catch (error) {
    database.close()
    throw explain(error, file, 'open')
  }
}

function openFile(file: string): DatabaseSync {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    // Made with these rights before anything is in it; -wal and -shm take them over.
    fs.closeSync(fs.openSync(file, 'a', 0o600))
    fs.chmodSync(file, 0o600)
    return new DatabaseSync(file, { timeout: 1000 })
  } catch (error) {
    throw explain(error, file, 'open')
  }
}

function checkIntegrity(database: DatabaseSync, file: string): void {
  const [first] = database.prepare('PRAGMA integrity_check(1)').all()
  if (first?.['integrity_check'] !== 'ok') throw damaged(file, String(first?.['integrity_check']))
}

function migrate(database: DatabaseSync, file: string): void {
  database.exec('BEGIN IMMEDIATE')
  for (let from = readSchema(database, file); from < schemaVersion; from++) {
    database.exec(migrations[from] ?? '')
    database.prepare("UPDATE meta SET value = ? WHERE name = 'schema'").run(String(from + 1))
  }
  database.exec('COMMIT')
}

/** The schema of an open store. Throws StoreError when it is none that this version can read. */
export function readSchema(database: DatabaseSync, file: string): number {
  const read = database.prepare('SELECT value FROM meta WHERE name = ?')
  const text = String(read.get('schema')?.['value'])
  const found = Number(text)
  if (Number.isInteger(found) && found >= 1 && found <= schemaVersion) return found
  const writer = String(read.get('writer')?.['value'] ?? '')
  const by = writer === '' ? 'the version that wrote it' : `Weft ${writer}, which wrote it last`
  throw new StoreError(
    `the store ${file} has schema ${text}, this version of Weft knows those up to ${schemaVersion}; use ${by}, or a newer one`,
  )
}

/** What to say of a file whose content is not what was written. */
export const damaged = (file: string, what: string): StoreError =>
  new StoreError(
    `the store ${file} is damaged (${what}); nothing is served from it. Move it and ${path.basename(file)}-wal away and put a backup ` +
      `in their place, or start without them and apply your resources again`,
  )

/** An error of SQLite or of the file system as a sentence with a remedy. */
export function explain(error: unknown, file: string, wish: 'open' | 'write to'): Error {
  if (error instanceof StoreError || !(error instanceof Error)) return error as Error
  const { errcode, code } = error as { errcode?: number; code?: string }
  const primary = (errcode ?? 0) & 0xff
  const cannot = `cannot ${wish} the store ${file}: `
  if (primary === 5 || primary === 6)
    return new StoreError(
      `${cannot}another control plane is using it; stop that one, or give this one another --data-dir`,
    )
  if (primary === 13 || code === 'ENOSPC')
    return new StoreError(`${cannot}no space left on the device (ENOSPC); free some, nothing was lost`)
  if (primary === 11 || primary === 26) return damaged(file, error.message)
  if (primary === 8) return new StoreError(`${cannot}it may only be read by this user`)
  return new StoreError(`${cannot}${error.message}`, { cause: error })
}
