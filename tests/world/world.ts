import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { processesWith, runToEnd, startChild, type Child } from './child.ts'
import { curl, curlEach, startCurlLoad, type CurlLoad, type CurlOptions, type CurlReply } from './curl.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

const root = path.dirname(path.dirname(import.meta.dirname))
const weftScript = path.join(root, 'dist/weft.js')
const controlPlaneProgram = path.join(import.meta.dirname, 'programs/control-plane.ts')
/** Tells of itself what it was asked. NAME PORT REPORT [HOST] */
export const echoProgram: string = path.join(import.meta.dirname, 'programs/echo.mjs')

/** A control plane that runs. */
export interface ControlPlane {
  readonly child: Child
  readonly apiUrl: string
  readonly xdsPort: number
}

/** A program with its sidecar. */
export interface Workload {
  readonly child: Child
  /** metadata.name of its Workload. */
  readonly name: string
  readonly service: string
  /** Where the program itself listens; 0 for a client. */
  readonly port: number
  readonly programPid: number
  /** The explicit listener, as HTTP_PROXY says it. */
  readonly proxy: string
  /** The sidecar's admin interface. */
  readonly adminUrl: string
  /** The program's environment. */
  readonly env: Readonly<Record<string, string>>
  /** SIGTERM, and the exit status. */
  stop(): Promise<number>
}

/** One `weft gateway`. */
export interface GatewayInstance {
  readonly child: Child
  /** metadata.name of its Workload. */
  readonly name: string
  /** Where its listeners are; its own, unless it was told. */
  readonly address: string
  readonly adminUrl: string
  /** SIGTERM, and the exit status. */
  stop(): Promise<number>
}

/** What `weft up` is to be told. */
export interface UpOptions {
  readonly args?: readonly string[]
  /** Put before the command line: `ip netns exec NAME`. */
  readonly prefix?: readonly string[]
  /** Where xDS listens; default: loopback. */
  readonly host?: string
  /** How long certificates live, ms; default: as the command has it. */
  readonly leafTtlMs?: number
  /** Another build's `dist/weft.js`. */
  readonly script?: string
}

/** What `weft run` is to be told. */
export interface WorkloadOptions {
  readonly namespace?: string
  readonly labels?: readonly string[]
  /** The port that the program listens on; 0: a client only. Default: a free one. */
  readonly port?: number
  /** Of the service; default: 80. */
  readonly servicePort?: number
  readonly args?: readonly string[]
  /** What the echo program calls itself; default: the service. */
  readonly says?: string
  /** Put before the command line: `ip netns exec NAME`. */
  readonly prefix?: readonly string[]
  /** Instead of the echo program; it must write its process number and environment, as JSON, to the file `report`. */
  readonly command?: (report: string) => readonly string[]
  /** Another build's `dist/weft.js`. */
  readonly script?: string
}

/** Real processes on free ports, in a folder of their own, gone when the test is over. */
export interface World {
  readonly dir: string
  readonly dataDir: string
  /** What processes of this world find in their environment. */
  readonly env: Readonly<Record<string, string>>
  /** Starts (again) a control plane on this world's data directory and ports. */
  up(options?: UpOptions): Promise<ControlPlane>
  /** Resolves when the program runs: its sidecar is ready then. */
  run(service: string, options?: WorkloadOptions): Promise<Workload>
  /** Resolves when it has joined; the Gateway need not be there. */
  gateway(
    name: string,
    options?: { readonly namespace?: string; readonly args?: readonly string[] },
  ): Promise<GatewayInstance>
  /** Any command, to its end. */
  weft(
    args: readonly string[],
    options?: { input?: string; prefix?: readonly string[]; withinMs?: number },
  ): Promise<Finished>
  /** Any command, left running; ended with the world. */
  start(name: string, args: readonly string[], options?: { prefix?: readonly string[] }): Child
  /** `weft apply -f -`; fails the test unless everything was taken. */
  apply(yaml: string): Promise<string>
  /** By curl, through the sidecar of `from`; without `from` straight to the URL. */
  curl(from: Workload | undefined, url: string, options?: CurlOptions): Promise<CurlReply>
  /** One answer for each URL, in order, by one curl that keeps its connections. */
  curlEach(from: Workload | undefined, urls: readonly string[], options?: CurlOptions): Promise<readonly CurlReply[]>
  /** Asks until this status comes. */
  curlUntil(from: Workload | undefined, url: string, status: number, options?: CurlOptions): Promise<CurlReply>
  load(
    from: Workload | undefined,
    url: string,
    options?: { ratePerSecond?: number; headers?: readonly string[] },
  ): CurlLoad
  /** Writes a file of this world; gives its path. */
  file(name: string, text: string | Buffer): string
}

/** A command that has ended. */
export interface Finished {
  readonly status: number
  readonly out: string
  readonly err: string
}

/** Whose world it is: a test, or what runs cases as a test would. */
export type WorldOwner = Pick<TestContext, 'after' | 'passed' | 'diagnostic'>

/** A new world for the test `t`, which takes it down: orderly, then by force, and fails if anything had to be forced or was left. */
export function createWorld(t: WorldOwner): World {
  assert.ok(fs.existsSync(weftScript), `${weftScript} is missing: npm run build`)
  const id = randomUUID()
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-world-'))
  const dataDir = path.join(dir, 'data')
  const env = worldEnvironment(id, dir, dataDir)
  const place = { env, cwd: dir }
  const children: Child[] = []
  let ports: Promise<{ xds: number; api: number }> | undefined

  t.after(async () => {
    const forced = await stopAll(children)
    const escaped = await leftOver(id)
    if (!t.passed || forced.length > 0 || escaped.length > 0) for (const child of children) tell(t, child)
    fs.rmSync(dir, { recursive: true, force: true })
    assert.deepEqual(forced, [], 'had to be killed')
    assert.deepEqual(escaped, [], 'was still running')
  })

  const start = (name: string, command: readonly string[]): Child => {
    const child = startChild(name, command as [string, ...string[]], place)
    children.push(child)
    return child
  }

  const world: World = {
    dir,
    dataDir,
    env,
    async up({ args = [], prefix = [], host = '127.0.0.1', leafTtlMs, script = weftScript } = {}) {
      const { xds, api } = await (ports ??= Promise.all([freePort(), freePort()]).then(([a, b]) => ({
        xds: a,
        api: b,
      })))
      const places = [`${host}:${xds}`, `127.0.0.1:${api}`] as const
      const command =
        leafTtlMs === undefined
          ? [script, 'up', '--data-dir', dataDir, '--xds', places[0], '--api', places[1], ...args]
          : [controlPlaneProgram, dataDir, ...places, String(leafTtlMs)]
      const child = start('weft up', [...prefix, process.execPath, ...command])
      const apiUrl = `http://127.0.0.1:${api}`
      await until('the control plane answers', async () => {
        if (!child.isRunning) throw new Error(`it has ended: ${child.out}${child.err}`)
        return (await curl(`${apiUrl}/healthz`, { prefix }, place)).status === 200
      })
      return { child, apiUrl, xdsPort: xds }
    },
    async run(service, options = {}) {
      const { namespace, labels = [], says = service, prefix = [], args = [] } = options
      const port = options.port ?? (await freePort())
      const report = path.join(dir, `${service}-${randomUUID()}.json`)
      const { servicePort = 80, script = weftScript } = options
      const portFlag = servicePort === port ? `${port}` : `${servicePort}=${port}`
      const program = options.command?.(report) ?? [process.execPath, echoProgram, says, String(port), report]
      const command = [
        ...prefix,
        process.execPath,
        script,
        'run',
        '--service',
        service,
        ...(namespace === undefined ? [] : ['--namespace', namespace]),
        ...(port === 0 ? [] : ['--port', portFlag]),
        ...labels.flatMap((label) => ['--label', label]),
        '--capture',
        'explicit',
        ...args,
        '--',
        ...program,
      ]
      const child = start(`weft run ${service}`, command)
      const reported = await until(`the program of ${service} runs`, () => {
        if (!child.isRunning) throw new Error(`weft run has ended: ${child.out}${child.err}`)
        return fs.existsSync(report) && (JSON.parse(fs.readFileSync(report, 'utf8')) as ProgramReport)
      })
      return {
        child,
        service,
        port,
        name: reported.env['WEFT_WORKLOAD'] ?? '',
        programPid: reported.pid,
        proxy: reported.env['HTTP_PROXY'] ?? '',
        adminUrl: reported.env['WEFT_ADMIN'] ?? '',
        env: reported.env,
        stop() {
          child.signal('SIGTERM')
          return child.ended
        },
      }
    },
    async gateway(name, { namespace = 'default', args = [] } = {}) {
      const command = [process.execPath, weftScript, 'gateway', '--name', name, '--namespace', namespace, ...args]
      const child = start(`weft gateway ${name}`, command)
      const [, workload = '', adminUrl = ''] = await until(`the gateway ${name} has joined`, () => {
        if (!child.isRunning) throw new Error(`it has ended: ${child.out}${child.err}`)
        return /instance \S+\/(\S+) started, admin at (http:\S+)/.exec(child.err) ?? undefined
      })
      const bound = args[args.indexOf('--bind') + 1]
      return {
        child,
        name: workload,
        address: args.includes('--bind') && bound !== undefined ? bound : new URL(adminUrl).hostname,
        adminUrl,
        stop() {
          child.signal('SIGTERM')
          return child.ended
        },
      }
    },
    weft(args, { prefix = [], ...options } = {}) {
      const [first, ...rest] = [...prefix, process.execPath, weftScript, ...args] as [string, ...string[]]
      return runToEnd([first, ...rest], { ...place, ...options })
    },
    start: (name, args, { prefix = [] } = {}) => start(name, [...prefix, process.execPath, weftScript, ...args]),
    async apply(yaml) {
      const { status, out, err } = await world.weft(['apply', '-f', '-'], { input: yaml })
      assert.equal(status, 0, `weft apply: ${out}${err}`)
      return out
    },
    curl: (from, url, options = {}) => curl(url, { ...options, ...through(from) }, place),
    curlEach: (from, urls, options = {}) => curlEach(urls, { ...options, ...through(from) }, place),
    curlUntil: (from, url, status, options = {}) =>
      until(`${url} answers ${status}`, async () => {
        const reply = await world.curl(from, url, options)
        if (reply.status !== status) throw new Error(`${reply.status} ${reply.body}${reply.error}`)
        return reply
      }),
    load: (from, url, options = {}) => startCurlLoad(url, { ...options, ...through(from) }, place),
    file(name, text) {
      const file = path.join(dir, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, text)
      return file
    },
  }
  return world
}

/** The process of a workload's sidecar: the agent's child that is not the program. Linux only. */
export function sidecarOf({ child, programPid }: Pick<Workload, 'child' | 'programPid'>): number {
  const children = fs
    .readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .map(Number)
  const [pid] = children.filter((one) => one !== programPid)
  assert.ok(pid !== undefined && pid > 0, 'the sidecar is a process of its own')
  return pid
}

const through = (from: Workload | undefined): { proxy?: string } => (from === undefined ? {} : { proxy: from.proxy })

interface ProgramReport {
  readonly pid: number
  readonly env: Readonly<Record<string, string>>
}

const markName = 'WORLD_ID'

/** Nothing of the person who runs the tests gets in: no proxy settings, no data directory, no token. */
const worldEnvironment = (id: string, dir: string, dataDir: string): Readonly<Record<string, string>> => ({
  PATH: `${process.env['PATH'] ?? ''}${path.delimiter}/usr/sbin${path.delimiter}/sbin`,
  HOME: dir,
  TMPDIR: dir,
  NO_COLOR: '1',
  WEFT_DATA_DIR: dataDir,
  [markName]: id,
})

const orderlyMs = 15_000

/** Newest first, so that workloads go before their control plane. Gives the names of those that had to be killed. */
async function stopAll(children: readonly Child[]): Promise<readonly string[]> {
  const forced: string[] = []
  const isUp = (child: Child): boolean => child.name === 'weft up'
  for (const group of [children.filter((child) => !isUp(child)), children.filter(isUp)]) {
    for (const child of group) if (child.isRunning) child.signal('SIGTERM')
    await Promise.all(
      group.map((child) =>
        until(`${child.name} ends`, () => !child.isRunning, { withinMs: orderlyMs }).catch(() => {
          forced.push(child.name)
        }),
      ),
    )
    for (const child of group) child.killAll()
  }
  return forced
}

/** What carries this world's mark and does not go by itself; ends it. */
async function leftOver(id: string): Promise<readonly string[]> {
  try {
    await until('no process is left', () => processesWith(markName, id).length === 0, { withinMs: 5000 })
    return []
  } catch {
    const left = processesWith(markName, id)
    for (const { pid } of left) process.kill(pid, 'SIGKILL')
    return left.map(({ command }) => command)
  }
}

function tell(t: WorldOwner, { name, pid, out, err }: Child): void {
  for (const line of `── ${name} (process ${pid})\n${out}${err}`.trimEnd().split('\n')) t.diagnostic(line)
}
