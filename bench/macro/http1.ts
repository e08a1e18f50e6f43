import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { makeCertificates } from './certificates.ts'
import { findProgram, versionOf } from './command.ts'
import { envoy } from './envoy.ts'
import { haproxy } from './haproxy.ts'
import { findNginx, nginx, startBackend } from './nginx.ts'
import { cpuNs, freePort, residentMb } from './process.ts'
import { formatTable, median } from './statistics.ts'
import { host, warmUpSeconds, type Started, type Subject } from './subject.ts'
import { weft } from './weft.ts'
import { runWrk, type Load } from './wrk.ts'

/** How long and how often; which subjects (by name, lower case), all unless said. */
export interface Http1Options {
  readonly mtls: boolean
  readonly rounds: number
  readonly seconds: number
  readonly connections: number
  readonly only: readonly string[]
}

/** One subject in one round. */
export interface Measurement extends Load {
  readonly round: number
  /** µs of CPU per request: all proxies together, and each. */
  readonly cpuUs: number
  readonly cpuUsByRole: Readonly<Record<string, number>>
  readonly loadedMb: number
}

/** Everything a reader needs to judge the figures. */
export interface Report {
  readonly scenario: string
  readonly machine: Readonly<Record<string, string | number>>
  readonly options: Http1Options
  readonly subjects: readonly {
    readonly name: string
    readonly version: string
    readonly features: string
    /** Resident, before the first load, all proxies together. */
    readonly idleMb: number
    readonly idleMbByRole: Readonly<Record<string, number>>
    readonly rounds: readonly Measurement[]
    /** Rounds in which a request failed: not counted. */
    readonly voided: number
  }[]
  readonly skipped: readonly { readonly name: string; readonly why: string }[]
}

/** All subjects side by side: each stays up, the load goes from one to the next, round after round. */
export async function measureHttp1(options: Http1Options, say: (line: string) => void): Promise<Report> {
  const wrk = findProgram('wrk')
  if (wrk === undefined) throw new Error('wrk makes the load: apt-get install wrk')
  const backend = findNginx()
  if ('missing' in backend) throw new Error(`nginx is the backend: ${backend.missing}`)
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-bench-'))
  const running: Contestant[] = []
  const skipped: { name: string; why: string }[] = []
  const backendPort = await freePort()
  const backendProcess = await startBackend(path.join(dir, 'backend'), backendPort)
  try {
    const certificates = makeCertificates(dir)
    for (const subject of [weft, envoy, haproxy, nginx]) {
      if (options.only.length > 0 && !options.only.includes(subject.name.toLowerCase())) continue
      const found = subject.find()
      if ('missing' in found) {
        say(`SKIPPED ${subject.name}: not installed; ${found.missing}`)
        skipped.push({ name: subject.name, why: found.missing })
        continue
      }
      const place = path.join(dir, subject.name.toLowerCase())
      fs.mkdirSync(place)
      const started = await subject.start({ mtls: options.mtls, backendPort, dir: place, certificates })
      running.push({ subject, version: found.version, started, idleMbByRole: {}, rounds: [], voided: 0 })
      await checkAnswer(subject, started)
    }
    for (const one of running) one.idleMbByRole = memoryByRole(one.started)
    for (const { subject, started } of running) {
      say(`warming up ${subject.name}`)
      await runWrk({ ...started, dir, wrk }, { ...options, seconds: warmUpSeconds })
    }
    for (let round = 1; round <= options.rounds; round++)
      for (const one of running) await measure(one, round, { ...options, dir, wrk, say })
    return {
      scenario: options.mtls ? 'http1, two proxies, mTLS between' : 'http1, one proxy, plain text',
      machine: {
        cores: os.availableParallelism(),
        cpu: os.cpus()[0]?.model ?? 'unknown',
        kernel: `${os.type()} ${os.release()}`,
        node: process.version,
        wrk: versionOf([wrk, '-v'], /wrk (?:debian\/)?(\S+)/),
        backend: `nginx ${backend.version}, 100 bytes from memory`,
        loadAverage: Math.round((os.loadavg()[0] ?? 0) * 100) / 100,
      },
      options,
      subjects: running.map(({ subject: { name, features }, version, idleMbByRole, rounds, voided }) => ({
        name,
        version,
        features,
        idleMb: sum(Object.values(idleMbByRole)),
        idleMbByRole,
        rounds,
        voided,
      })),
      skipped,
    }
  } finally {
    for (const { started } of running) await started.stop()
    await backendProcess.stop()
    fs.rmSync(dir, { recursive: true, force: true })
  }
}

interface Contestant {
  readonly subject: Subject
  readonly version: string
  readonly started: Started
  idleMbByRole: Readonly<Record<string, number>>
  readonly rounds: Measurement[]
  voided: number
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0)
const memoryByRole = ({ proxies }: Started): Readonly<Record<string, number>> =>
  Object.fromEntries(proxies.map(({ role, pids }) => [role, sum(pids.map(residentMb))]))

async function measure(
  one: Contestant,
  round: number,
  { say, dir, wrk, ...options }: Http1Options & { say: (line: string) => void; dir: string; wrk: string },
): Promise<void> {
  const { subject, started, rounds } = one
  const cpu = (): readonly number[] => started.proxies.map(({ pids }) => sum(pids.map(cpuNs)))
  const before = cpu()
  const load = await runWrk({ ...started, dir, wrk }, options)
  const spentUs = cpu().map((ns, index) => (ns - (before[index] ?? 0)) / 1000 / load.requests)
  if (load.errors > 0 || load.requests === 0) {
    one.voided++
    say(`round ${round} ${subject.name}: VOID, ${load.errors} of ${load.requests} requests failed`)
    return
  }
  const cpuUs = sum(spentUs)
  const cpuUsByRole = Object.fromEntries(started.proxies.map(({ role }, index) => [role, spentUs[index] ?? 0]))
  rounds.push({ round, ...load, cpuUs, cpuUsByRole, loadedMb: sum(Object.values(memoryByRole(started))) })
  const perSecond = Math.round(load.requests / load.seconds)
  say(`round ${round} ${subject.name}: ${cpuUs.toFixed(1)} µs CPU a request, ${perSecond} requests/s`)
}

/** The right 100 bytes through this proxy, and not for another host; else figures would mean nothing. */
async function checkAnswer({ name }: Subject, { port, target }: Started): Promise<void> {
  const ask = (path: string, hostHeader: string): Promise<{ status: number; body: string }> =>
    new Promise((resolve, reject) => {
      const request = http.get(
        { port, host: '127.0.0.1', path, headers: { host: hostHeader }, agent: false },
        (response) => {
          let body = ''
          response.on('data', (chunk: Buffer) => void (body += chunk.toString()))
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
        },
      )
      request.on('error', reject)
    })
  const deadline = performance.now() + 15_000
  for (;;) {
    const { status, body } = await ask(target, host)
    if (status === 200 && body === 'x'.repeat(100)) return
    if (performance.now() > deadline) throw new Error(`${name} answers ${status} ${JSON.stringify(body.slice(0, 200))}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The report as a table, and each subject's CPU beside the first one's. */
export function formatReport({ scenario, machine, options, subjects, skipped }: Report): string {
  const rows = subjects.map(({ name, version, idleMb, rounds, voided }) => {
    const of = (pick: (one: Measurement) => number): readonly number[] => rounds.map(pick)
    const cpu = of(({ cpuUs }) => cpuUs)
    const latency = (which: keyof Load['latency']): string => median(of((one) => one.latency[which] / 1000)).toFixed(2)
    return [
      `${name} ${version}`,
      median(cpu).toFixed(1),
      Math.min(...cpu).toFixed(1),
      median(of(({ requests, seconds }) => requests / seconds)).toFixed(0),
      latency('p50'),
      latency('p90'),
      latency('p99'),
      idleMb.toFixed(0),
      Math.max(...of(({ loadedMb }) => loadedMb)).toFixed(0),
      `${rounds.length}${voided > 0 ? ` (${voided} void)` : ''}`,
    ]
  })
  const head = ['', 'CPU µs/req', 'min', 'req/s', 'p50 ms', 'p90 ms', 'p99 ms', 'idle MB', 'load MB', 'rounds']
  const [first, ...others] = subjects.map(({ name, rounds }) => ({ name, cpu: median(rounds.map((one) => one.cpuUs)) }))
  const ratios = others.map(({ name, cpu }) => `${first?.name} / ${name}: ${((first?.cpu ?? NaN) / cpu).toFixed(2)}`)
  return [
    `${scenario}: ${options.connections} connections, ${options.rounds} rounds of ${options.seconds} s, medians`,
    Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(', '),
    '',
    formatTable([head, ...rows]),
    '',
    `CPU per request, ratio of medians: ${ratios.join(', ') || 'nothing to compare with'}`,
    ...subjects.map(({ name, features, idleMbByRole }) => {
      const parts = Object.entries(idleMbByRole).map(([role, mb]) => `${role} ${mb.toFixed(0)}`)
      return `  ${name}: ${features}; idle MB: ${parts.join(', ')}`
    }),
    ...skipped.map(({ name, why }) => `  skipped ${name}: ${why}`),
  ].join('\n')
}
