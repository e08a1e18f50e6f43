import fs from 'node:fs'
import { parse } from 'yaml'
import { formatAddress, parseAddress } from '../../base/address.ts'
import { systemClock } from '../../base/clock.ts'
import { logLevels, textLog } from '../../base/log.ts'
import { systemRandom } from '../../base/random.ts'
import { startBareProxy } from '../../proxy/run-bare.ts'
import { decodeBootstrap } from '../../proxy/xds/decode-bootstrap.ts'
import { signalled } from '../signals.ts'
import { fail, misused, status, type Terminal } from '../terminal.ts'
import { version } from '../version.ts'

/** As commander gives them. */
export interface ProxyFlags {
  readonly config: string
  readonly admin?: string
  readonly drainTime?: string
  readonly logLevel?: string
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
  const running = startBareProxy(bootstrap.value, {
    version,
    admin,
    stdout: terminal.out,
    stderr: terminal.err,
    clock: systemClock,
    random: systemRandom,
    log,
  })
  const first = await Promise.race([running.started, asked])
  if (typeof first === 'object') {
    if ('failed' in first) return fail(terminal, first.failed)
    const on = first.listeners.map(formatAddress).join(', ')
    log.info('serving', { on, ...(first.admin && { admin: formatAddress(first.admin) }) })
  }
  log.info('stopping', { signal: await asked })
  await running.drain(drainSeconds * 1000)
  return status.done
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
