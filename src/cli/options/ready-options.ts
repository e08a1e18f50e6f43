import type { AgentOptions } from '../../agent/options.ts'
import type { ReadinessCheck } from '../../agent/readiness-check.ts'
import { parseDurationMs } from '../../base/duration.ts'

/** The flags about readiness, as commander hands them over. */
export interface ReadyFlags {
  readonly ready?: readonly string[]
  readonly readyInterval?: string
  readonly readyTimeout?: string
  readonly readyFailures?: string
  readonly readySuccesses?: string
}

const forms = 'http://:8080/healthz, tcp://:8080, grpc://:50051[/service] or exec:COMMAND'
const form = /^(http|tcp|grpc):\/\/(?:localhost|127\.0\.0\.1)?:(\d{1,5})(\/\S*)?$/

/** One `--ready`; `wrong` is a sentence that names it. */
export function readReadinessCheck(text: string): ReadinessCheck | { readonly wrong: string } {
  const wrong = (why: string): { wrong: string } => ({ wrong: `--ready ${JSON.stringify(text.slice(0, 80))}: ${why}` })
  if (text.startsWith('exec:')) {
    const command = text.slice('exec:'.length).trim()
    return command === '' ? wrong('exec: needs a command') : { kind: 'exec', command }
  }
  const [, kind, digits, path = ''] = form.exec(text) ?? []
  const port = Number(digits)
  if (kind === undefined) return wrong(`give ${forms}, of the program's own loopback`)
  if (port < 1 || port > 65_535) return wrong('a port is a number from 1 to 65535')
  if (kind === 'http') return { kind, port, path: path === '' ? '/' : path }
  if (kind === 'grpc') {
    const service = path.slice(1)
    return Buffer.byteLength(service) > 127
      ? wrong('the name of a service has at most 127 bytes')
      : { kind, port, service }
  }
  return path === '' || path === '/' ? { kind: 'tcp', port } : wrong('tcp has no path')
}

/** All of them, and every problem by name. */
export function readReadiness(flags: ReadyFlags): {
  readonly readiness: AgentOptions['readiness']
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const duration = (name: string, text: string | undefined): number => {
    const ms = text === undefined ? 1000 : parseDurationMs(text)
    if (ms !== undefined && ms >= 10 && ms <= 3_600_000) return ms
    problems.push(`${name} is a duration from 10ms to 1h, such as 500ms or 2s, not ${JSON.stringify(text)}`)
    return 1000
  }
  const count = (name: string, text: string | undefined, fallback: number): number => {
    if (text === undefined) return fallback
    if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
    problems.push(`${name} is a number from 1 to 999, not ${JSON.stringify(text)}`)
    return fallback
  }
  const checks: ReadinessCheck[] = []
  for (const text of flags.ready ?? []) {
    const check = readReadinessCheck(text)
    if ('wrong' in check) problems.push(check.wrong)
    else checks.push(check)
  }
  const readiness = {
    checks,
    intervalMs: duration('--ready-interval', flags.readyInterval),
    timeoutMs: duration('--ready-timeout', flags.readyTimeout),
    failures: count('--ready-failures', flags.readyFailures, 2),
    successes: count('--ready-successes', flags.readySuccesses, 1),
  }
  return { readiness, problems }
}
