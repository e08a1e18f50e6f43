import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { host } from './subject.ts'

/** What one run of the load generator gave. */
export interface Load {
  readonly requests: number
  readonly seconds: number
  /** Connections that failed, broken or late reads and writes, and answers that were not 2xx or 3xx. */
  readonly errors: number
  /** µs. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
}

const script = (target: string): string => `
wrk.path = "${target}"
wrk.headers["Host"] = "${host}"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"seconds":%.6f,"errors":%d,"latency":{"p50":%d,"p90":%d,"p99":%d,"max":%d}}\\n',
    summary.requests, summary.duration / 1e6, e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50), latency:percentile(90), latency:percentile(99), latency.max))
end
`

/** wrk: one thread, keep-alive, closed loop. Fails when wrk itself does. */
export function runWrk(
  { port, target, dir, wrk }: { port: number; target: string; dir: string; wrk: string },
  { connections, seconds }: { connections: number; seconds: number },
): Promise<Load> {
  const file = path.join(dir, 'wrk.lua')
  fs.writeFileSync(file, script(target))
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', file, `http://127.0.0.1:${port}/`]
  return new Promise((resolve, reject) => {
    const child = spawn(wrk, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    child.stdout.on('data', (text: Buffer) => void (out += text.toString()))
    child.stderr.on('data', (text: Buffer) => void (out += text.toString()))
    child.once('error', reject)
    child.once('close', () => {
      const [, json] = /^RESULT (.*)$/m.exec(out) ?? []
      if (json === undefined) reject(new Error(`wrk: ${out}`))
      else resolve(JSON.parse(json) as Load)
    })
  })
}
