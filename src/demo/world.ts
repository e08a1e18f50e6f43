import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { Clock } from '../base/clock.ts'
import type { Info, ResourceList } from '../control/api/contract.ts'
import { bookshop, shopper, type InstancePlan } from './bookshop.ts'
import { removeWhenGone, startChild, type Child } from './child.ts'
import { freePorts } from '../base/free-ports.ts'
import { systemRandom } from '../base/random.ts'
import { getJson, type GetOptions } from './http-get.ts'
import { demoFiles } from './programs.ts'

/** A program with its sidecar, running. */
export interface Instance extends InstancePlan {
  /** Of the program itself, on loopback. */
  readonly port: number
  /** http://127.0.0.1:PORT of the sidecar's admin. */
  readonly admin: string
  /** `weft run`: the agent. Its group holds sidecar and program too. */
  readonly child: Child
}

/** What a finished command said. */
export interface Ran {
  readonly status: number
  readonly output: string
}

/** The load so far, as the shopper counts it. */
export interface LoadCount {
  readonly sent: number
  readonly ok: number
  readonly failed: number
  /** "catalog v1" → answers that it took part in. */
  readonly versions: Readonly<Record<string, number>>
  readonly lastFailures: readonly string[]
}

/** A running sample mesh. All that the tour and the checks do, they do through this: by commands and by HTTP, as any user would. */
export interface World {
  readonly dataDir: string
  readonly examples: string
  readonly clock: Clock
  readonly instances: () => readonly Instance[]
  readonly controlPlane: Child
  /** Runs `weft ARGS` against this mesh; `apply -f FILE` and the like. */
  weft(...args: readonly string[]): Promise<Ran>
  start(plan: InstancePlan): Promise<Instance>
  /** SIGKILL for agent, sidecar and program at once. */
  kill(instance: Instance): void
  api<T>(path: string): Promise<T | undefined>
  load(): Promise<LoadCount>
  /** Waits; rejects as soon as the demo is being stopped. */
  pause(ms: number): Promise<void>
  /** Asks until `enough` says yes to what came, or until the time is over: then undefined. */
  waitFor<T>(ask: () => Promise<T>, enough: (value: T) => boolean, limitMs?: number): Promise<T | undefined>
  /** Ends every process and removes the folder. May be called twice. */
  stop(): Promise<void>
}

const readyWithinMs = 30_000

/** Starts control plane, services and load. On trouble everything is removed again, and the error says which part and its last words. */
export async function startWorld({
  clock,
  env,
  signal,
}: {
  clock: Clock
  env: NodeJS.ProcessEnv
  /** Gives up waiting, whatever for. */
  signal: AbortSignal
}): Promise<World> {
  const files = demoFiles()
  const dataDir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-demo-'))
  const stopJanitor = removeWhenGone(dataDir)
  const childEnv = cleanEnv(env, dataDir)
  const children: Child[] = []
  const start = (args: readonly string[], more: NodeJS.ProcessEnv = {}): Child => {
    const child = startChild(args, { ...childEnv, ...more }, clock)
    children.push(child)
    return child
  }
  const socket: GetOptions = { socketPath: path.join(dataDir, 'api.sock') }
  const instances: Instance[] = []
  const controlPlane = start([files.weft, 'up', '--data-dir', dataDir, '--xds', '127.0.0.1:0', '--api', '127.0.0.1:0'])

  const world: World = {
    dataDir,
    examples: files.examples,
    clock,
    controlPlane,
    instances: () => instances.filter(({ child }) => child.running()),
    async weft(...args) {
      const child = startChild([files.weft, ...args], { ...childEnv, WEFT_DATA_DIR: dataDir }, clock)
      return { status: await child.ended, output: child.lastLines().join('\n') }
    },
    async start(plan) {
      const [port = 0, adminPort = 0] = await freePorts(2, systemRandom)
      const instance = startInstance(plan, port, adminPort)
      await answering(instance)
      return instance
    },
    kill: ({ child }) => child.kill(),
    api: (at) => getJson(`http://localhost${at}`, socket),
    async load() {
      const one = instances.find(({ load }) => load !== undefined)
      const stats = await getJson<{ load: LoadCount }>(`http://127.0.0.1:${one?.port ?? 0}/stats`)
      return stats?.load ?? { sent: 0, ok: 0, failed: 0, versions: {}, lastFailures: [] }
    },
    pause: (ms) => clock.sleep(ms, signal),
    async waitFor(ask, enough, limitMs = 10_000) {
      const endMs = clock.nowMs() + limitMs
      for (;;) {
        const value = await ask()
        if (enough(value)) return value
        if (clock.nowMs() > endMs) return undefined
        await clock.sleep(50, signal)
      }
    },
    async stop() {
      await Promise.all(instances.map(({ child }) => child.stop(4000)))
      await Promise.all(children.map((child) => child.stop(4000)))
      fs.rmSync(dataDir, { recursive: true, force: true })
      stopJanitor()
    },
  }
  try {
    await open()
    return world
  } catch (error) {
    await world.stop()
    throw error
  }

  function startInstance(plan: InstancePlan, port: number, adminPort: number): Instance {
    const flags = `--service ${plan.service} --label version=${plan.version} --port http:80=${port}/http --admin 127.0.0.1:${adminPort}`
    const child = start(
      [
        files.weft,
        'run',
        '--data-dir',
        dataDir,
        '--capture',
        'explicit',
        ...flags.split(' '),
        '--',
        process.execPath,
        files.service,
      ],
      programEnv(plan, port),
    )
    const instance: Instance = { ...plan, port, admin: `http://127.0.0.1:${adminPort}`, child }
    instances.push(instance)
    return instance
  }

  async function open(): Promise<void> {
    const plans = [...bookshop, shopper]
    const ports = await freePorts(plans.length * 2, systemRandom)
    await mustCome('the control plane', controlPlane, () => world.api<Info>('/v1/info'))
    const begin = (plan: InstancePlan, index: number): Instance =>
      startInstance(plan, ports[2 * index] ?? 0, ports[2 * index + 1] ?? 0)
    await Promise.all(bookshop.map((plan, index) => answering(begin(plan, index))))
    const applied = await world.weft(
      'apply',
      ...['split.yaml', 'deny.yaml', 'strict.yaml'].flatMap((file) => ['-f', files.examples + file]),
    )
    if (applied.status !== 0) throw new Error(`weft apply failed:\n${applied.output}`)
    await answering(begin(shopper, bookshop.length))
  }

  /** Its program answers, so its sidecar is ready; and the control plane sends clients to it. */
  async function answering(instance: Instance): Promise<void> {
    const isReady = async (): Promise<boolean | undefined> => {
      if ((await getJson(`http://127.0.0.1:${instance.port}/stats`, { timeoutMs: 1000 })) === undefined)
        return undefined
      const list = await world.api<ResourceList>('/v1/resources/workloads?namespace=default')
      return list?.items.some((item) => targets(item, instance.port)) === true ? true : undefined
    }
    await mustCome(instance.id, instance.child, isReady)
  }

  async function mustCome<T>(what: string, child: Child, ask: () => Promise<T | undefined>): Promise<T> {
    const got = await world.waitFor(
      async () => (child.running() ? ask() : null),
      (value) => value !== undefined,
      readyWithinMs,
    )
    if (got !== undefined && got !== null) return got
    const words = child.lastLines().slice(-12).join('\n  ')
    throw new Error(
      `${what} ${got === null ? 'ended' : `did not come up within ${readyWithinMs / 1000} s`}; its last words:\n  ${words}`,
    )
  }
}

/** Whether this Workload stands for the program on `port`. */
function targets(workload: unknown, port: number): boolean {
  const { spec } = workload as { spec?: { ports?: readonly { targetPort?: number }[] } }
  return spec?.ports?.some(({ targetPort }) => targetPort === port) === true
}

function programEnv(
  { service, version, calls = {}, onDemand = {}, load }: InstancePlan,
  port: number,
): NodeJS.ProcessEnv {
  return {
    NAME: service,
    VERSION: version,
    PORT: String(port),
    CALLS: JSON.stringify(calls),
    ON_DEMAND: JSON.stringify(onDemand),
    END_WITH_PARENT: '1',
    ...(load === undefined ? {} : { LOAD_URL: load.url, LOAD_RATE: String(load.ratePerSecond) }),
  }
}

/** The user's own settings of Weft and of proxies must not reach the sample mesh. */
function cleanEnv(env: NodeJS.ProcessEnv, dataDir: string): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^WEFT_|_proxy$|^NODE_OPTIONS$|^NODE_USE_ENV_PROXY$/i.test(name))
  return { ...Object.fromEntries(kept), WEFT_DATA_DIR: dataDir }
}
