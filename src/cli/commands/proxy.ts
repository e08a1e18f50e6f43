import fs from 'node:fs'
import { parse } from 'yaml'
import { formatAddress, parseAddress, type Address } from '../../base/address.ts'
import { systemClock } from '../../base/clock.ts'
import { logLevels, textLog, type LogLevel } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { settleMemory } from '../../base/memory.ts'
import { bootstrapSource, type BootstrapParts } from '../../proxy/xds/bootstrap-flow.ts'
import { decodeBootstrap, type Bootstrap } from '../../proxy/xds/decode-bootstrap.ts'
import type { BareWorkers, BareWorkersParts } from '../../agent/workers/run-bare-workers.ts'
import { readWorkers } from '../options/workers-option.ts'
import { signalled } from '../signals.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** As commander gives them. */
export interface ProxyFlags {
  readonly config: string
  readonly admin?: string
  readonly drainTime?: string
  readonly logLevel?: string
  readonly workers?: string
  readonly check?: boolean
}

/** A bare proxy in the foreground, from an Envoy bootstrap, until SIGINT or SIGTERM. */
export async function proxy(flags: ProxyFlags, terminal: Terminal): Promise<number> {
  const admin = flags.admin === undefined ? undefined : parseAddress(flags.admin)
  if (flags.admin !== undefined && admin === undefined)
    return misused(terminal, 'proxy', `--admin expected HOST:PORT, got ${JSON.stringify(flags.admin)}`)
  const drainSeconds = Number(flags.drainTime ?? 5)
  if (!(drainSeconds >= 0)) return misused(terminal, 'proxy', '--drain-time expected a number of seconds')
  const level = logLevels.find((one) => one === (flags.logLevel ?? 'info'))
  if (level === undefined) return misused(terminal, 'proxy', `--log-level is one of ${logLevels.join(', ')}`)

  const workers = readWorkers(flags.workers)
  if (typeof workers === 'object') return misused(terminal, 'proxy', workers.wrong)

  const source = await readConfig(flags.config, terminal)
  if ('unreadable' in source) return fail(terminal, source.unreadable)
  const bootstrap = decodeBootstrap(source.json, { readFile, env: terminal.env })
  if ('problems' in bootstrap)
    return fail(terminal, `${flags.config} cannot be used:\n${bootstrap.problems.map((one) => `  ${one}\n`).join('')}`)
  if (flags.check === true) {
    terminal.out(`${flags.config} can be used\n`)
    return status.done
  }

  const log = textLog({ part: 'proxy', level, write: terminal.err, wallMs: () => systemClock.wallMs() })
  const asked = signalled()
  const parts = { version, admin, clock: systemClock, random: systemRandom, log }
  const running =
    workers === 1
      ? (await import('../../proxy/run-bare.ts')).startBareProxy(bootstrap.value, {
          ...parts,
          stdout: terminal.out,
          stderr: terminal.err,
        })
      : await startSeveral(workers, source.json, bootstrap.value, { ...parts, level, env: terminal.env })
  const first = await Promise.race([running.started, asked])
  if (typeof first === 'object') {
    if ('failed' in first) return fail(terminal, first.failed)
    const on = first.listeners.map(formatAddress).join(', ')
    settleMemory(systemClock)
    log.info('serving', { on, ...(first.admin && { admin: formatAddress(first.admin) }) })
  }
  log.info('stopping', { signal: await asked })
  await running.drain(drainSeconds * 1000)
  return status.done
}

async function startSeveral(
  count: number,
  json: unknown,
  bootstrap: Bootstrap,
  {
    level,
    admin = bootstrap.admin,
    ...parts
  }: BootstrapParts & Pick<BareWorkersParts, 'env'> & { readonly level: LogLevel; readonly admin: Address | undefined },
): Promise<BareWorkers> {
  const { startBareWorkers } = await import('../../agent/workers/run-bare-workers.ts')
  const source = bootstrap.ads && bootstrapSource(bootstrap, parts)
  return startBareWorkers({ ...parts, count, bootstrap: json, admin, source, logLevel: level })
}

async function readConfig(
  file: string,
  terminal: Terminal,
): Promise<{ readonly json: unknown } | { readonly unreadable: string }> {
  const text = file === '-' ? await terminal.stdin() : readFile(file)
  const content = typeof text === 'string' && file !== '-' ? undefined : text.toString()
  if (content === undefined) return { unreadable: `cannot read ${file}: ${String(text)}` }
  try {
    return { json: parse(content, { merge: true, logLevel: 'error' }) as unknown }
  } catch (error) {
    return { unreadable: `${file} is neither YAML nor JSON: ${error instanceof Error ? error.message : String(error)}` }
  }
}

/** The bytes, or why there are none. */
function readFile(file: string): Buffer | string {
  try {
    return fs.readFileSync(file)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
