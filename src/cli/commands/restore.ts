import fs from 'node:fs'
import path from 'node:path'
import { restore as bringBack } from '../../control/backup.ts'
import { dataDirOf, type PlaceOptions } from '../client/place.ts'
import { lockDataDir } from '../data-dir-lock.ts'
import { fail, status, type Terminal } from '../terminal.ts'

/** Brings a backup back into an empty data directory, where no control plane runs. */
export function restore(source: string, flags: Pick<PlaceOptions, 'dataDir'>, terminal: Terminal): number {
  const dataDir = dataDirOf(flags, terminal.env)
  const file = path.resolve(source)
  if (!fs.existsSync(file)) return fail(terminal, `${file}: there is no such file`)
  try {
    const lock = lockDataDir(dataDir)
    if (lock.kind === 'taken')
      return fail(
        terminal,
        `a control plane runs on ${dataDir}${lock.pid === undefined ? '' : ` (process ${lock.pid})`}; stop it first`,
      )
    try {
      const { resources, revision } = bringBack(file, dataDir)
      const flag = flags.dataDir === undefined ? '' : ` --data-dir ${dataDir}`
      terminal.out(
        `${resources} resources, revision ${revision}, and the keys are back in ${dataDir}; start it: weft up${flag}\n`,
      )
      return status.done
    } finally {
      lock.release()
    }
  } catch (error) {
    return fail(terminal, error instanceof Error ? error.message : String(error))
  }
}
