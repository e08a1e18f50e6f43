import os from 'node:os'
import { parseAddress } from '../../base/address.ts'
import { systemClock } from '../../base/clock.ts'
import { settleMemory } from '../../base/memory.ts'
import { logLevels, textLog, type LogLevel } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import type { Info, ResourceList } from '../../control/api/contract.ts'
import { startControlPlane, type ControlPlane } from '../../control/control-plane.ts'
import { apiClient } from '../client/client.ts'
import { dataDirOf, findPlace } from '../client/place.ts'
import { lockDataDir } from '../data-dir-lock.ts'
import { readUpOptions, type UpFlags, type UpOptions } from '../options/up-options.ts'
import { listAt, textAt } from '../print/plain.ts'
import { tellReady } from '../service-manager.ts'
import { signalled } from '../signals.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** A control plane in the foreground, until SIGINT or SIGTERM. */
export async function up(flags: UpFlags, terminal: Terminal): Promise<number> {
  const read = readUpOptions(flags)
  const level = logLevels.find((one) => one === (flags.logLevel ?? 'info'))
  if ('problems' in read) return misused(terminal, 'up', read.problems.join('\nweft up: '))
  if (level === undefined) return misused(terminal, 'up', `--log-level is one of ${logLevels.join(', ')}`)
  const dataDir = dataDirOf(flags, terminal.env)
  let lock
  try {
    lock = lockDataDir(dataDir)
  } catch (error) {
    return fail(terminal, `cannot use ${dataDir}: ${messageOf(error)}; choose another with --data-dir`)
  }
  if (lock.kind === 'taken') {
    const who = lock.pid === undefined ? '' : ` (process ${lock.pid})`
    return fail(
      terminal,
      `a control plane already runs on ${dataDir}${who}; use that one, or choose another --data-dir`,
    )
  }
  try {
    const place = findPlace(flags, terminal.env)
    const isDefault = place.kind === 'socket' && place.isDefault
    return await serve({ dataDir, isDefault }, read.options, level, terminal)
  } finally {
    lock.release()
  }
}

async function serve(
  { dataDir, isDefault }: { dataDir: string; isDefault: boolean },
  options: UpOptions,
  level: LogLevel,
  terminal: Terminal,
): Promise<number> {
  const log = textLog({ part: 'up', level, write: terminal.err, wallMs: () => systemClock.wallMs() })
  let controlPlane: ControlPlane
  try {
    controlPlane = await startControlPlane({
      ...options,
      dataDir,
      version,
      log,
      clock: systemClock,
      random: systemRandom,
    })
  } catch (error) {
    return fail(terminal, whyNot(error, options))
  }
  settleMemory(systemClock)
  const asked = signalled()
  terminal.out(greeting({ info: controlPlane.info, dataDir, options, user: userName(), isDefault }))
  const plain = await permissive(dataDir)
  if (plain)
    terminal.out(
      'Plain text is still taken from callers without a sidecar (PERMISSIVE). To refuse it: a PeerAuthentication with mode STRICT.\n',
    )
  await tellReady(terminal.env, (problem) => log.warn(problem))
  const signal = await asked
  log.info('stopping', { signal })
  await controlPlane.stop()
  return status.done
}

/** What a newcomer reads first. Pure, for tests. */
export function greeting({
  info,
  dataDir,
  options,
  user,
  isDefault,
}: {
  info: Info
  dataDir: string
  options: UpOptions
  user: string
  /** The data directory is found without being named. */
  isDefault: boolean
}): string {
  const loopback = ['127.', 'localhost', '[::1]'].some((start) => info.xdsAddress.startsWith(start))
  return `Weft ${info.version}: the control plane is up, trust domain ${info.trustDomain}

  xDS   ${info.xdsAddress}
  API   http://${info.apiAddress}  (/metrics is open, the rest wants the token in api.token)
  data  ${dataDir} (${options.store}${options.files.length === 0 ? '' : `, and ${options.files.join(', ')}`})

On this machine:    weft run${isDefault ? '' : ` --data-dir ${dataDir}`} --service web --port 8080 -- COMMAND
From another one:   ${loopback ? 'start this with --advertise HOST first; then: weft token create' : 'weft token create   prints a join token for: weft run --token-file FILE'}

Whoever is user ${user} on this machine may take any identity in the mesh.
`
}

/** Whether no mesh-wide PeerAuthentication says STRICT. Asked through our own API; undefined trouble is no reason to warn. */
async function permissive(dataDir: string): Promise<boolean> {
  const place = findPlace({ dataDir }, {})
  if (place.kind !== 'socket') return false
  const answer = await apiClient(place).get<ResourceList>('/v1/resources/peerauthentications')
  if (answer.kind === 'failed') return false
  return !listAt(answer.value, 'items').some((item) => textAt(item, 'spec', 'mtls', 'mode') === 'STRICT')
}

/** A port that is taken is the commonest reason: then the flag is named that helps. */
function whyNot(error: unknown, { xds, api }: UpOptions): string {
  const message = messageOf(error)
  const taken = /EADDRINUSE/.test(message) || codeOf(error) === 'EADDRINUSE'
  const refused = /EACCES/.test(message) || codeOf(error) === 'EACCES'
  if (!taken && !refused) return message
  const port = typeof error === 'object' && error !== null && 'port' in error ? Number(error.port) : undefined
  const isApi = port === undefined ? message.includes(api) : port === parseAddress(api)?.port
  const [flag, address] = isApi ? ['--api', api] : ['--xds', xds]
  return `${address} ${taken ? 'is taken by another program' : 'may not be opened by this user'}; choose another with ${flag} HOST:PORT (port 0: any free one)`
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error ? String(error.code) : undefined
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function userName(): string {
  try {
    return os.userInfo().username
  } catch {
    return String(process.getuid?.() ?? 'this')
  }
}
