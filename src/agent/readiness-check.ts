import { spawn } from 'node:child_process'
import net from 'node:net'
import type { Clock } from '../base/clock.ts'
import { nodeHttp } from '../base/node-http.ts'
import { healthCheckFrame, healthStatusOf } from './grpc-health.ts'

/** One question to a program: is it ready? Ports are those of its own loopback. */
export type ReadinessCheck =
  /** Somebody accepts connections. */
  | { readonly kind: 'tcp'; readonly port: number }
  /** GET is answered with 200 to 399. Source: Kubernetes, httpGet probes. */
  | { readonly kind: 'http'; readonly port: number; readonly path: string }
  /** grpc.health.v1.Health/Check says SERVING; service "" is the whole server. */
  | { readonly kind: 'grpc'; readonly port: number; readonly service: string }
  /** The command, run by `sh`, ends with status 0. */
  | { readonly kind: 'exec'; readonly command: string }

/** What a check works with. */
export interface CheckParts {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Of a command: its environment, and what is put before `sh` (the program's own privileges). */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly prefix: readonly string[]
}

const host = '127.0.0.1'

/** Undefined: ready. Otherwise why not, for people. Never rejects, and takes no longer than `timeoutMs`. */
export async function performCheck(check: ReadinessCheck, parts: CheckParts): Promise<string | undefined> {
  switch (check.kind) {
    case 'tcp':
      return (await answersOn(check.port, parts.clock, parts.timeoutMs))
        ? undefined
        : `nothing answers on port ${check.port}`
    case 'http':
      return checkHttp(check, parts)
    case 'grpc':
      return checkGrpc(check, parts)
    case 'exec':
      return checkByCommand(check, parts)
  }
}

/**
 * Whether somebody accepts connections on this port of 127.0.0.1. Leaves politely: a program that greets first would get a reset if
 * its greeting were not read, and some die of it.
 */
export function answersOn(port: number, clock: Clock, timeoutMs = 1000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    const late = clock.after(timeoutMs, () => socket.destroy(), { background: true })
    socket.once('connect', () => {
      resolve(true)
      socket.resume().end()
    })
    socket.on('error', () => {})
    socket.once('close', () => {
      late.cancel()
      resolve(false)
    })
  })
}

/** Settles once, by `work` or by time; `cancel` takes away what `work` has under way. */
function within(
  { clock, timeoutMs }: CheckParts,
  what: string,
  work: (done: (why: string | undefined) => void) => () => void,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    let cancel = (): void => {}
    let over = false
    const done = (why: string | undefined): void => {
      if (over) return
      over = true
      late.cancel()
      cancel()
      resolve(why)
    }
    const late = clock.after(timeoutMs, () => done(`${what} gave no answer within ${timeoutMs} ms`), {
      background: true,
    })
    cancel = work(done)
    if (over) cancel()
  })
}

const reasonOf = (error: Error): string => ('code' in error ? String(error.code) : error.message)

function checkHttp(
  { port, path }: Extract<ReadinessCheck, { kind: 'http' }>,
  parts: CheckParts,
): Promise<string | undefined> {
  const what = `GET http://${host}:${port}${path}`
  return within(parts, what, (done) => {
    const request = nodeHttp().get({ host, port, path, agent: false, headers: { 'user-agent': 'weft-readiness' } })
    request.on('response', (response) => {
      response.on('error', () => {})
      const { statusCode = 0 } = response
      done(statusCode >= 200 && statusCode < 400 ? undefined : `${what} was answered with ${statusCode}`)
    })
    request.on('error', (error) => done(`${what} failed: ${reasonOf(error)}`))
    return () => void request.destroy()
  })
}

async function checkGrpc(
  { port, service }: Extract<ReadinessCheck, { kind: 'grpc' }>,
  parts: CheckParts,
): Promise<string | undefined> {
  const http2 = await import('node:http2')
  const what = `the health service on port ${port}`
  return within(parts, what, (done) => {
    const session = http2.connect(`http://${host}:${port}`)
    const failed = (error: Error): void => done(`${what} failed: ${reasonOf(error)}`)
    session.on('error', failed)
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const chunks: Buffer[] = []
    let status: string | undefined
    const note = (headers: Readonly<Record<string, unknown>>): void => {
      const told = headers['grpc-status']
      if (typeof told === 'string') status = told
    }
    // The session's own reason says more, and comes after.
    stream
      .on('response', note)
      .on('trailers', note)
      .on('error', (error) => void setImmediate(failed, error))
    stream.on('data', (chunk: Buffer) => void chunks.push(chunk))
    stream.on('end', () => {
      const said = healthStatusOf(Buffer.concat(chunks))
      if (status === '0' && said === 'SERVING') return done(undefined)
      done(status === '0' ? `${what} says ${said}` : `${what} answered with grpc-status ${status ?? 'none'}`)
    })
    stream.end(healthCheckFrame(service))
    return () => session.destroy()
  })
}

function checkByCommand(
  { command }: Extract<ReadinessCheck, { kind: 'exec' }>,
  parts: CheckParts,
): Promise<string | undefined> {
  const what = `the command ${JSON.stringify(command.slice(0, 100))}`
  return within(parts, what, (done) => {
    const [file = '', ...args]: readonly string[] = [...parts.prefix, 'sh', '-c', command]
    // A group of its own, so that whatever it starts ends with it.
    const child = spawn(file, args, { stdio: 'ignore', env: { ...parts.env }, detached: true })
    child.on('error', (error) => done(`${what} failed: ${reasonOf(error)}`))
    child.on('exit', (status, signal) => done(status === 0 ? undefined : `${what} ended with ${signal ?? status}`))
    return () => endGroup(child.pid)
  })
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has gone by itself.
  }
}
