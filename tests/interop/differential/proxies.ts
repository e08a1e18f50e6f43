import fs from 'node:fs'
import path from 'node:path'
import type { TestContext } from 'node:test'
import { startChild, type Child } from '../../world/child.ts'
import { until } from '../../world/until.ts'

/** One of the two. */
export interface RunningProxy {
  readonly name: 'envoy' | 'weft'
  readonly child: Child
  readonly portOf: (listener: string) => number
  /** The folder of its access logs. */
  readonly logs: string
}

const root = path.join(import.meta.dirname, '../../..')

/** Starts it with `bootstrap`, to be ended with the test, and resolves when its admin port says that it is ready. */
export async function startProxy(
  t: TestContext,
  name: 'envoy' | 'weft',
  {
    bootstrap,
    portOf,
    dir,
    envoy,
    logs,
  }: { bootstrap: unknown; portOf: (listener: string) => number; dir: string; envoy: string; logs: string },
): Promise<RunningProxy> {
  const file = path.join(dir, `${name}.json`)
  fs.writeFileSync(file, JSON.stringify(bootstrap, undefined, 1))
  const command: readonly [string, ...string[]] =
    name === 'envoy'
      ? [
          envoy,
          '-c',
          file,
          '--concurrency',
          '1',
          '--disable-hot-restart',
          '-l',
          'error',
          '--drain-time-s',
          '1',
          '--file-flush-interval-msec',
          '50',
        ]
      : [
          process.execPath,
          path.join(root, 'src/cli/weft.ts'),
          'proxy',
          '-c',
          file,
          '--log-level',
          'warn',
          '--drain-time',
          '0',
        ]
  const env = Object.fromEntries(
    Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
  const child = startChild(name, command, { env, cwd: dir })
  t.after(() => {
    child.signal('SIGTERM')
    return child.ended
  })
  const admin = `http://127.0.0.1:${portOf('admin')}/ready`
  await until(`${name} is ready`, async () => {
    if (!child.isRunning) throw new Error(`${name} has ended; it said:\n${child.err}`)
    const answer = await fetch(admin).catch(() => undefined)
    return answer?.status === 200 ? true : undefined
  })
  return { name, child, portOf, logs }
}
