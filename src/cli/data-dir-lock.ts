import fs from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** A data directory that is ours until `release`, or until this process ends in whatever way. */
export type DataDirLock =
  | { readonly kind: 'held'; readonly release: () => void }
  /** `pid` of the process that has it, as far as it said so. */
  | { readonly kind: 'taken'; readonly pid: number | undefined }

/** Open databases: one that nobody refers to is closed by the garbage collector, and its lock goes with it. */
const held = new Set<DatabaseSync>()

/**
 * Makes the directory (0700) if need be and takes it for this process. The lock is SQLite's own, held by an open transaction: the
 * system lets it go when the process dies, so that nothing stale stays behind. Throws what the file system says.
 */
export function lockDataDir(dataDir: string): DataDirLock {
  fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  fs.chmodSync(dataDir, 0o700)
  const pidFile = path.join(dataDir, 'up.pid')
  const file = path.join(dataDir, 'lock.db')
  // Born private, like everything in here.
  fs.closeSync(fs.openSync(file, 'a', 0o600))
  const database = new DatabaseSync(file, { timeout: 100 })
  try {
    database.exec('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (!isBusy(error)) throw error
    return { kind: 'taken', pid: readPid(pidFile) }
  }
  held.add(database)
  fs.writeFileSync(pidFile, `${process.pid}\n`, { mode: 0o600 })
  return {
    kind: 'held',
    release() {
      fs.rmSync(pidFile, { force: true })
      held.delete(database)
      database.close()
    },
  }
}

const sqliteBusy = 5
const isBusy = (error: unknown): boolean => error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy

function readPid(file: string): number | undefined {
  try {
    const pid = Number(fs.readFileSync(file, 'utf8'))
    return Number.isInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
