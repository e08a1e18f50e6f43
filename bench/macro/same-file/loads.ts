import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** What one run of a load gave. */
export interface Got {
  /** Requests, or bytes. */
  readonly units: number
  readonly errors: number
  /** From sending to the last byte, µs, of each request; empty where nobody noted it. */
  readonly latencyUs: readonly number[]
}

function run(command: readonly string[], cwd: string): Promise<string> {
  const [file = '', ...args] = command
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    const keep = (text: Buffer): void => void (out += text.toString())
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', reject)
    child.once('close', () => resolve(out))
  })
}

/** How h2load asks. */
export interface Asking {
  readonly connections: number
  readonly streams: number
  readonly seconds: number
  /** The host that is asked for; default: the proxy's own address. */
  readonly authority?: string
  /** Requests a second in all; undefined: as many as are answered. */
  readonly perSecond?: number
  /** gRPC: this message, in its frame. */
  readonly message?: Buffer
}

/** h2load, one thread. An open loop when `perSecond` is given: waiting is counted. */
export async function h2load(port: number, target: string, dir: string, asking: Asking): Promise<Got> {
  const { connections, streams, seconds, authority, perSecond, message } = asking
  const log = path.join(dir, 'h2load.log')
  fs.rmSync(log, { force: true })
  const body = path.join(dir, 'message')
  if (message !== undefined) fs.writeFileSync(body, message)
  const out = await run(
    [
      'h2load',
      '-t1',
      `-c${connections}`,
      `-m${streams}`,
      `-D${seconds}`,
      ...(perSecond === undefined ? [] : [`--rps=${perSecond / connections}`, `--log-file=${log}`]),
      ...(authority === undefined ? [] : ['-H', `:authority: ${authority}`]),
      ...(message === undefined ? [] : ['-d', body, '-H', 'content-type: application/grpc', '-H', 'te: trailers']),
      `http://127.0.0.1:${port}${target}`,
    ],
    dir,
  )
  const [, done, good, failed] = /(\d+) done, (\d+) succeeded, (\d+) failed/.exec(out) ?? []
  if (done === undefined) throw new Error(`h2load: ${out}`)
  const [, ok = '0'] = /status codes: (\d+) 2xx/.exec(out) ?? []
  const lines = fs.existsSync(log) ? fs.readFileSync(log, 'utf8').trim().split('\n') : []
  return {
    units: Number(good),
    // What is under way when the time is up is no failure.
    errors: Math.max(0, Number(failed), Number(good) - Number(ok)),
    latencyUs: lines.map((line) => Number(line.split('\t')[2])),
  }
}

/** curl downloads a file of `bytes` bytes through raw TCP. */
export async function download(port: number, target: string, dir: string, bytes: number): Promise<Got> {
  const out = await run(
    ['curl', '-sS', '-o', '/dev/null', '-w', '%{size_download}', `http://127.0.0.1:${port}${target}`],
    dir,
  )
  const units = Number(out)
  return { units, errors: units === bytes ? 0 : 1, latencyUs: [] }
}
