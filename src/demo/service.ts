// An ordinary HTTP service. It is told its name, its port and whom to call, as any twelve-factor program is; of a mesh it knows
// nothing. It calls out with Node's own HTTP client, which honours HTTP_PROXY when NODE_USE_ENV_PROXY is set.
//
//   NAME=reviews VERSION=v1 PORT=9080 CALLS='{"ratings":"http://ratings/"}' node demo-service.js
//   GET /            calls everyone in CALLS and tells what they said; 502 when one of them failed
//   GET /call/NAME   calls one of CALLS or ON_DEMAND and passes its status and body on
//   GET /stats       what came in and, with LOAD_URL and LOAD_RATE, what the load that it makes has met
// oxlint-disable-next-line no-restricted-imports -- an ordinary program, as anybody writes it
import http from 'node:http'
import { setInterval, setTimeout } from 'node:timers'

const { NAME = 'service', VERSION = 'v1', PORT = '0', LOAD_URL, LOAD_RATE = '20', END_WITH_PARENT } = process.env
const calls = JSON.parse(process.env['CALLS'] ?? '{}') as Record<string, string>
const onDemand = JSON.parse(process.env['ON_DEMAND'] ?? '{}') as Record<string, string>

interface Answer {
  readonly status: number
  readonly body: string
}

/** Status 0: no answer; the body says why. */
function call(url: string, timeoutMs = 10_000): Promise<Answer> {
  return new Promise((resolve) => {
    const request = http.get(url, { timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }))
      response.on('error', (error) => resolve({ status: 0, body: error.message }))
    })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    request.on('error', (error) => resolve({ status: 0, body: error.message }))
  })
}

const parse = (body: string): unknown => {
  try {
    return JSON.parse(body)
  } catch {
    return body.slice(0, 500)
  }
}

/** The bookshop page: our own part and that of everyone whom we asked. */
async function page(): Promise<Answer> {
  const parts = await Promise.all(
    Object.entries(calls).map(async ([name, url]) => {
      const { status, body } = await call(url)
      return [name, { status, said: parse(body) }] as const
    }),
  )
  const failed = parts.some(([, { status }]) => status < 200 || status > 299)
  const body = JSON.stringify({ service: NAME, version: VERSION, pid: process.pid, calls: Object.fromEntries(parts) })
  return { status: failed ? 502 : 200, body }
}

const served = { requests: 0 }
const load = { sent: 0, ok: 0, failed: 0, versions: {} as Record<string, number>, lastFailures: [] as string[] }

async function answer(path: string): Promise<Answer> {
  if (path === '/stats') return { status: 200, body: JSON.stringify({ ...served, load }) }
  served.requests += 1
  if (path === '/') return page()
  const url = { ...calls, ...onDemand }[path.replace(/^\/call\//, '')]
  if (url === undefined) return { status: 404, body: JSON.stringify({ error: `no ${path} here` }) }
  const { status, body } = await call(url)
  return { status: status === 0 ? 502 : status, body }
}

const server = http.createServer((request, response) => {
  const path = (request.url ?? '/').split('?')[0] ?? '/'
  request.resume()
  void answer(path).then(({ status, body }) => {
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen(Number(PORT), '127.0.0.1')

/** Every "version" that took part in a page, by service: { "catalog v1": 3 }. */
function countVersions(said: unknown): void {
  if (typeof said !== 'object' || said === null || !('service' in said) || !('version' in said)) return
  const name = `${String(said.service)} ${String(said.version)}`
  load.versions[name] = (load.versions[name] ?? 0) + 1
  if ('calls' in said)
    for (const one of Object.values(said.calls as Record<string, { said: unknown }>)) countVersions(one.said)
}

async function visit(url: string): Promise<boolean> {
  const { status, body } = await call(url)
  load.sent += 1
  if (status === 200) {
    load.ok += 1
    countVersions(parse(body))
    return true
  }
  load.failed += 1
  load.lastFailures = [...load.lastFailures, `${status}: ${body.slice(0, 300)}`].slice(-5)
  return false
}

/** A steady open-loop load, which begins once the shop has answered for the first time. */
async function visitSteadily(url: string, ratePerSecond: number): Promise<void> {
  while ((await call(url)).status !== 200) await new Promise((resolve) => setTimeout(resolve, 100))
  setInterval(() => void visit(url), 1000 / ratePerSecond)
}
if (LOAD_URL !== undefined) void visitSteadily(LOAD_URL, Number(LOAD_RATE))

process.on('SIGTERM', () => {
  server.close(() => process.exit(0))
  server.closeIdleConnections()
  setTimeout(() => process.exit(0), 1000)
})
// For demonstrations: nobody shall have to clean up after one.
if (END_WITH_PARENT !== undefined) {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && process.exit(1), 250)
}
