import fs from 'node:fs'
import path from 'node:path'
import { systemClock } from '../../base/clock.ts'
import type { BackupResult } from '../../control/api/contract.ts'
import { backUp, storeFile } from '../../control/backup.ts'
import { openSqliteStore } from '../../control/collect/sqlite-store.ts'
import { apiClient } from '../client/client.ts'
import { dataDirOf, type PlaceOptions } from '../client/place.ts'
import { lockDataDir } from '../data-dir-lock.ts'
import { fail, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** Saves the store and the keys of the mesh, from a running control plane or from its data directory at rest. */
export async function backup(
  target: string,
  flags: Pick<PlaceOptions, 'dataDir'>,
  terminal: Terminal,
): Promise<number> {
  const dataDir = dataDirOf(flags, terminal.env)
  const file = path.resolve(target)
  if (fs.existsSync(file))
    return fail(terminal, `${file} is there already, and is not overwritten; choose another name`)
  try {
    const made = await makeBackup(dataDir)
    if ('refused' in made) return fail(terminal, made.refused)
    const source = path.join(dataDir, made.file)
    try {
      fs.copyFileSync(source, file, fs.constants.COPYFILE_EXCL)
      fs.chmodSync(file, 0o600)
    } finally {
      fs.rmSync(source, { force: true })
    }
  } catch (error) {
    return fail(terminal, `no backup was made: ${error instanceof Error ? error.message : String(error)}`)
  }
  terminal.out(`${file} holds the store and the keys of ${dataDir}: keep it as safe as them\n`)
  return status.done
}

/** The name of a backup in the data directory. */
async function makeBackup(dataDir: string): Promise<{ readonly file: string } | { readonly refused: string }> {
  if (!fs.existsSync(path.join(dataDir, 'lock.db')))
    return { refused: `${dataDir} is no data directory of a control plane; name it with --data-dir` }
  const lock = lockDataDir(dataDir)
  if (lock.kind === 'taken') {
    const socketPath = path.join(dataDir, 'api.sock')
    const client = apiClient({ kind: 'socket', dataDir, socketPath, isDefault: false })
    const answer = await client.post<BackupResult>('/v1/backup', '')
    return answer.kind === 'value' ? answer.value : { refused: answer.sentence }
  }
  try {
    const file = path.join(dataDir, storeFile)
    if (!fs.existsSync(file)) return { refused: `there is no store in ${dataDir} (${storeFile})` }
    const store = openSqliteStore({ file, clock: systemClock, version })
    try {
      return await backUp(store, dataDir)
    } finally {
      await store.close()
    }
  } finally {
    lock.release()
  }
}
