import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createSecretFile, ensureSecretDirectory } from '../ca/secret-file.ts'
import { apiTokenFile } from './api/api-token.ts'
import { explain, readSchema, StoreError } from './collect/sqlite-file.ts'
import { verifyDocuments } from './collect/sqlite-store.ts'
import type { Store } from './collect/store.ts'

// A backup is one SQLite file: the store as it was at one moment, and a table `secrets` with the files that make the mesh this mesh.

/** The store's file in the data directory. */
export const storeFile = 'weft.db'
const caDir = 'ca'
const unfinished = /^backup-[0-9a-f]+\.new$/

/** What a failed or abandoned backup left. The caller holds the data directory's lock. */
export function sweepBackups(dataDir: string): void {
  for (const name of fs.readdirSync(dataDir))
    if (unfinished.test(name)) fs.rmSync(path.join(dataDir, name), { force: true })
}

/** Writes one into the data directory, 0600, and gives its name there. Rejects with StoreError when the disk refuses. */
export async function backUp(
  store: Pick<Store, 'copyTo'>,
  dataDir: string,
): Promise<{ readonly file: string } | { readonly refused: string }> {
  const name = `backup-${randomBytes(8).toString('hex')}.new`
  const file = path.join(dataDir, name)
  // Private before anything is in it.
  fs.closeSync(fs.openSync(file, 'wx', 0o600))
  try {
    const refused = await store.copyTo(file)
    if (refused !== undefined) {
      fs.rmSync(file)
      return { refused }
    }
    const database = new DatabaseSync(file)
    try {
      database.exec('CREATE TABLE secrets (name TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID')
      const insert = database.prepare('INSERT INTO secrets VALUES (?, ?)')
      for (const secret of secretFiles(dataDir)) insert.run(secret, fs.readFileSync(path.join(dataDir, secret)))
    } finally {
      database.close()
    }
    return { file: name }
  } catch (error) {
    fs.rmSync(file, { force: true })
    throw explain(error, file, 'write to')
  }
}

/** Paths in the data directory; what stands beside them makes itself anew. */
function secretFiles(dataDir: string): readonly string[] {
  const ca = fs
    .readdirSync(path.join(dataDir, caDir), { withFileTypes: true })
    .filter((entry) => entry.isFile() && isSecretName(`${caDir}/${entry.name}`))
    .map(({ name }) => `${caDir}/${name}`)
  return [...ca, ...(fs.existsSync(path.join(dataDir, apiTokenFile)) ? [apiTokenFile] : [])]
}

/** `ca/root.pem`, `ca/seal.key` and their like. Nothing that a made-up backup names is written anywhere else. */
const isSecretName = (name: string): boolean => name === apiTokenFile || /^ca\/[a-z][a-z0-9-]*\.(pem|key)$/.test(name)

/** How much was brought back. */
export interface Restored {
  readonly resources: number
  readonly revision: number
}

/**
 * Brings a backup back into a data directory without store and authority, which the caller has locked. It is checked first, and on
 * failure nothing stays. Throws StoreError with a sentence for whoever typed the command.
 */
export function restore(file: string, dataDir: string): Restored {
  const there = [storeFile, `${storeFile}-wal`, caDir].find((name) => fs.existsSync(path.join(dataDir, name)))
  if (there !== undefined)
    throw new StoreError(
      `${path.join(dataDir, there)} is there already, and is not overwritten; move it away, or restore into another --data-dir`,
    )
  const fresh = path.join(dataDir, `${storeFile}.restored`)
  try {
    fs.copyFileSync(file, fresh)
    fs.chmodSync(fresh, 0o600)
    const { secrets, ...restored } = takeApart(fresh, file)
    ensureSecretDirectory(path.join(dataDir, caDir))
    fs.rmSync(path.join(dataDir, apiTokenFile), { force: true })
    for (const { name, text } of secrets) createSecretFile(path.join(dataDir, name), text)
    fs.renameSync(fresh, path.join(dataDir, storeFile))
    return restored
  } catch (error) {
    fs.rmSync(fresh, { force: true })
    fs.rmSync(path.join(dataDir, caDir), { recursive: true, force: true })
    throw error instanceof StoreError ? error : new StoreError(`cannot restore ${file}: ${reasonOf(error)}`)
  }
}

/** Checks the copy, and takes the secrets out of it: they are gone from its pages too. */
function takeApart(
  fresh: string,
  file: string,
): Restored & { readonly secrets: readonly { readonly name: string; readonly text: string }[] } {
  const database = new DatabaseSync(fresh)
  try {
    const whole = database.prepare('PRAGMA integrity_check(1)').get()?.['integrity_check']
    if (whole !== 'ok') throw new StoreError(`the backup ${file} is damaged (${String(whole)}); use another`)
    if (database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'secrets'").get() === undefined)
      throw new StoreError(`${file} is no backup made by weft backup`)
    readSchema(database, file)
    verifyDocuments(database, file)
    const secrets = database
      .prepare('SELECT name, CAST(content AS TEXT) AS text FROM secrets')
      .all()
      .map((row) => ({ name: String(row['name']), text: String(row['text']) }))
    const odd = secrets.find(({ name }) => !isSecretName(name))
    if (odd !== undefined) throw new StoreError(`${file} is no backup made by weft backup: it holds ${odd.name}`)
    database.exec('PRAGMA secure_delete = ON; DROP TABLE secrets; VACUUM')
    const count = database.prepare('SELECT count(*) AS count FROM resources').get()?.['count']
    const revision = database.prepare("SELECT value FROM meta WHERE name = 'revision'").get()?.['value']
    return { secrets, resources: Number(count), revision: Number(revision) }
  } catch (error) {
    if (error instanceof StoreError || !(error instanceof Error)) throw error
    throw new StoreError(`${file} is no backup made by weft backup, or is damaged (${error.message})`)
  } finally {
    database.close()
  }
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  return code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'permission denied' : message
}
