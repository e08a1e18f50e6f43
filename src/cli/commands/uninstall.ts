import fs from 'node:fs'
import path from 'node:path'
import { installed } from '../../agent/capture/host/nft.ts'
import { dataDirOf, type PlaceOptions } from '../client/place.ts'
import { lockDataDir } from '../data-dir-lock.ts'
import { fail, status, type Terminal } from '../terminal.ts'
import { runningWorkloads } from '../running-workloads.ts'

/** Flags of `weft uninstall`. */
export interface UninstallFlags extends Pick<PlaceOptions, 'dataDir'> {
  readonly yes?: boolean
}

/** All that a control plane puts into its data directory; whatever else lies there is somebody's own and stays. */
const ours =
  /^(weft\.db(-wal|-shm|-journal|\.restored)?|lock\.db(-wal|-shm|-journal)?|up\.pid|api\.sock|agent\.sock|api\.token(\.\d+)?|ca|backup-[0-9a-f]+\.new)$/

/** Removes what `weft up` and `weft run` left on this machine, once nothing runs any more. Everything else goes with its process. */
export async function uninstall(flags: UninstallFlags, terminal: Terminal): Promise<number> {
  const dataDir = dataDirOf(flags, terminal.env)
  if (!fs.existsSync(dataDir)) {
    terminal.out(`there is nothing at ${dataDir}\n`)
    return status.done
  }
  if (!fs.existsSync(path.join(dataDir, 'lock.db')))
    return fail(terminal, `${dataDir} is no data directory of a control plane, and is left alone`)
  const still = runningWorkloads(dataDir)
  if (still.length > 0) {
    const list = still.map(({ pid, what }) => `${pid} (${what})`).join(', ')
    return fail(terminal, `workloads of ${dataDir} still run; stop them first: process ${list}`)
  }
  const lock = lockDataDir(dataDir)
  if (lock.kind === 'taken') {
    const who = lock.pid === undefined ? '' : ` (process ${lock.pid})`
    return fail(terminal, `a control plane still runs on ${dataDir}${who}; stop it first`)
  }
  try {
    const found = installed(terminal.env)
    if ('rules' in found && found.rules !== undefined)
      return fail(terminal, 'rules are installed in this network namespace; first: weft capture remove')
    if (flags.yes !== true) {
      const answer = await terminal.ask(
        `Remove ${dataDir} with its store and the keys of the mesh, for good? Saved before: weft backup FILE. Type yes: `,
      )
      if (answer === undefined) return fail(terminal, 'nothing was removed: say --yes where nobody can be asked')
      if (answer.trim() !== 'yes') return fail(terminal, 'nothing was removed')
    }
    for (const name of fs.readdirSync(dataDir))
      if (ours.test(name) && !name.startsWith('lock.db')) fs.rmSync(path.join(dataDir, name), { recursive: true })
  } finally {
    lock.release()
  }
  for (const name of fs.readdirSync(dataDir)) if (ours.test(name)) fs.rmSync(path.join(dataDir, name))
  const left = fs.readdirSync(dataDir)
  if (left.length > 0) terminal.err(`weft: ${dataDir} stays, since this in it is not ours: ${left.join(', ')}\n`)
  else fs.rmdirSync(dataDir)
  terminal.out(`removed what was at ${dataDir}; no socket, namespace or rule is left\n`)
  return status.done
}
