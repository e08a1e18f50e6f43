import fs from 'node:fs'
import { dataDirOf } from './client/place.ts'

/** An agent that runs on this machine. */
export interface RunningWorkload {
  readonly pid: number
  /** Its command line, as far as it tells the workload. */
  readonly what: string
}

const script = /\/weft\.(js|ts)$/

/**
 * The agents (`weft run`) on this machine that take this data directory for their control plane's, as their command lines and
 * environments say: they go on without a control plane, so nobody else could tell. Only those of this user, or of all for root. Linux
 * only; elsewhere none.
 */
export function runningWorkloads(dataDir: string): readonly RunningWorkload[] {
  if (process.platform !== 'linux') return []
  return fs
    .readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => {
      const args = partsOf(`/proc/${entry}/cmdline`)
      const at = args.findIndex((one) => script.test(one))
      if (at < 0 || args[at + 1] !== 'run') return []
      const own = args.slice(at + 2)
      const flags = own.slice(0, own.includes('--') ? own.indexOf('--') : undefined)
      const env = Object.fromEntries(partsOf(`/proc/${entry}/environ`).map(readVariable))
      return isElsewhere(flags, env) || dataDirOf(placeOf(flags), env) !== dataDir
        ? []
        : [{ pid: Number(entry), what: `weft run ${flags.join(' ')}`.trim() }]
    })
}

/** It joined by a token: its control plane is another machine's, or it could be. */
const isElsewhere = (flags: readonly string[], env: Readonly<Record<string, string>>): boolean =>
  flags.some((flag) => /^--token-file(=|$)/.test(flag)) || ('WEFT_TOKEN' in env && placeOf(flags).dataDir === undefined)

function placeOf(flags: readonly string[]): { readonly dataDir?: string } {
  const joined = flags.find((flag) => flag.startsWith('--data-dir='))?.slice('--data-dir='.length)
  const dataDir = joined ?? (flags.includes('--data-dir') ? flags[flags.indexOf('--data-dir') + 1] : undefined)
  return dataDir === undefined ? {} : { dataDir }
}

function readVariable(pair: string): [string, string] {
  const equals = pair.indexOf('=')
  return [pair.slice(0, equals), pair.slice(equals + 1)]
}

/** A process that has ended meanwhile, or is another user's, has none. */
function partsOf(file: string): readonly string[] {
  try {
    return fs
      .readFileSync(file, 'utf8')
      .split('\0')
      .filter((part) => part !== '')
  } catch {
    return []
  }
}
