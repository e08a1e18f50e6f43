import { spawn, type ChildProcess } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, start, until, type Running } from './process.ts'
import { median } from './statistics.ts'
import { script } from './weft.ts'

// What enrolling a program costs: time until it runs, memory that stands beside it, latency of captured calls, and how soon one that came
// back is called again.

type Capture = 'explicit' | 'namespace'
const captures: readonly Capture[] = ['explicit', 'namespace']

/** Figures of one run; times in ms. */
export interface Enrolment {
  /** From `weft run` to the program's first instruction. */
  readonly startMs: Readonly<Record<Capture, readonly number[]>>
  /** Of each process that `weft run` adds, idle, by its kind. */
  readonly memory: Readonly<Record<Capture, Readonly<Record<string, Memory>>>>
  /** Medians of each round: a request on a pooled connection, and a new TCP connection with one byte there and back. */
  readonly requestMs: Readonly<Record<Capture, readonly number[]>>
  readonly connectionMs: Readonly<Record<Capture, readonly number[]>>
  /** From ready to the first answered call, after the agent was killed and another started. */
  readonly comebackMs: readonly number[]
  /** From nothing to an answer over mTLS: `weft up` and `weft run -f` with two services, where there is only loopback. */
  readonly nothingToMeshMs: readonly number[]
}

/** MB (10⁶). `pss` depends on how many processes of Node there are around; what is `own` does not, nor what is `shared` by all of them. */
interface Memory {
  readonly pss: number
  readonly own: number
  readonly shared: number
}

interface World {
  readonly dir: string
  readonly env: Readonly<Record<string, string>>
  readonly run: (args: readonly string[], command: readonly string[]) => Running
}

/** Says what it has to, and cleans up. */
export async function measureEnrolment(rounds: number, say: (line: string) => void): Promise<Enrolment> {
  const nothingToMeshMs: number[] = []
  for (let round = 0; round < rounds; round++) nothingToMeshMs.push(await fromNothing())
  say(`from nothing to mTLS: ${nothingToMeshMs.map((ms) => ms.toFixed(0)).join(' ')} ms`)
  return withWorld(async (world) => {
    const startMs = { explicit: [] as number[], namespace: [] as number[] }
    for (let round = 0; round < rounds; round++)
      for (const capture of captures) startMs[capture].push(await startTime(world, capture))
    say(`start: ${JSON.stringify(startMs)}`)
    const server = await serve(world)
    const memory = { explicit: await memoryOf(world, 'explicit'), namespace: await memoryOf(world, 'namespace') }
    say(`memory: ${JSON.stringify(memory)}`)
    const requestMs = { explicit: [] as number[], namespace: [] as number[] }
    const connectionMs = { explicit: [] as number[], namespace: [] as number[] }
    for (let round = 0; round < rounds; round++)
      for (const capture of captures) {
        const measured = await latency(world, capture)
        requestMs[capture].push(measured.requestMs)
        connectionMs[capture].push(measured.connectionMs)
      }
    say(`latency: ${JSON.stringify({ requestMs, connectionMs })}`)
    await server.stop()
    const comebackMs: number[] = []
    for (let round = 0; round < rounds; round++) comebackMs.push(await comeback(world))
    return { startMs, memory, requestMs, connectionMs, comebackMs, nothingToMeshMs }
  })
}

async function withWorld<T>(measure: (world: World) => Promise<T>): Promise<T> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-enrolment-'))
  const env = { WEFT_DATA_DIR: path.join(dir, 'data'), TMPDIR: dir, NO_COLOR: '1', PATH: systemPath }
  const weft = (...args: string[]): Running => start([process.execPath, script, ...args], { cwd: dir, env })
  const up = weft('up', '--xds', '127.0.0.1:0', '--api', '127.0.0.1:0')
  try {
    await until('the control plane answers', () => (/^\s+xDS\s/m.test(up.output) ? true : undefined), up)
    return await measure({ dir, env, run: (args, command) => weft('run', ...args, '--', ...command) })
  } finally {
    await up.stop()
    fs.rmSync(dir, { recursive: true, force: true })
  }
}
const systemPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`

async function startTime({ run }: World, capture: Capture): Promise<number> {
  const startedMs = Date.now()
  const client = run(['--service', 'starter', '--capture', capture], ['date', '+at %s%N'])
  const at = await until('the program runs', () => /at (\d+)/.exec(client.output)?.[1], client)
  await client.stop()
  return Number(BigInt(at) / 1000n) / 1000 - startedMs
}

const serverScript = `
require('node:http').createServer((_, reply) => reply.end(String(process.pid))).listen(8000, '127.0.0.1')
require('node:net').createServer((socket) => socket.pipe(socket)).listen(8001, '127.0.0.1')`

async function serve({ run }: World, kind: Capture = 'namespace'): Promise<Running> {
  const ports = ['--port', '80=8000/http', '--port', '7=8001/tcp', '--verbose']
  const server = run(['--service', 'web', '--capture', kind, ...ports], [process.execPath, '-e', serverScript])
  await until('the server is ready', () => (/agent: ready/.test(server.output) ? true : undefined), server)
  return server
}

async function memoryOf({ run }: World, capture: Capture): Promise<Record<string, Memory>> {
  const idle = run(['--service', 'idle', '--capture', capture, '--verbose'], ['sh', '-c', 'echo begun; exec sleep 60'])
  await until('the program runs', () => (/begun/.test(idle.output) ? true : undefined), idle)
  // What was needed to start is collected a second later.
  await sleep(8000)
  const found: Record<string, Memory> = {}
  for (const pid of [idle.pid, ...childrenOf(idle.pid)]) {
    const line = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    const kind = /(sidecar|namespace-helper)\.js/.exec(line)?.[1] ?? (pid === idle.pid ? 'agent' : undefined)
    const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
    const mb = (field: string): number =>
      (Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) * 1024) / 1e6
    const own = mb('Anonymous')
    if (kind !== undefined) found[kind] = { pss: mb('Pss'), own, shared: mb('Rss') - own }
  }
  await idle.stop()
  return found
}

const clientScript = `
const http = require('node:http'), net = require('node:net')
const proxy = process.env.HTTP_PROXY && new URL(process.env.HTTP_PROXY)
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
const place = proxy ? { host: proxy.hostname, port: proxy.port, path: 'http://web/' } : { host: 'web', port: 80, path: '/' }
const request = () => new Promise((resolve, reject) => {
  http.get({ agent, ...place, headers: { host: 'web' } }, (reply) => reply.resume().on('end', resolve)).on('error', reject)
})
const connection = () => new Promise((resolve, reject) => {
  const socket = proxy ? net.connect(proxy.port, proxy.hostname) : net.connect(7, address)
  socket.setNoDelay(true)
  let opened = !proxy
  socket.on('connect', () => socket.write(proxy ? 'CONNECT web:7 HTTP/1.1\\r\\nhost: web:7\\r\\n\\r\\n' : 'x'))
  socket.on('data', () => {
    if (opened) return socket.destroy()
    opened = true
    socket.write('x')
  })
  socket.on('close', resolve).on('error', reject)
})
const timed = async (what, count) => {
  const all = []
  for (let index = 0; index < count; index++) {
    const beganMs = performance.now()
    await what()
    all.push(performance.now() - beganMs)
  }
  return all.sort((a, b) => a - b)[count >> 1]
}
let address
const run = async () => {
  address = proxy ? undefined : (await require('node:dns/promises').lookup('web')).address
  await timed(request, 500)
  await timed(connection, 50)
  console.log('measured ' + JSON.stringify({ requestMs: await timed(request, 2000), connectionMs: await timed(connection, 300) }))
}
run()`

async function latency({ run }: World, capture: Capture): Promise<{ requestMs: number; connectionMs: number }> {
  const client = run(['--service', 'client', '--capture', capture], [process.execPath, '-e', clientScript])
  const text = await until('it has measured', () => /measured (.*)/.exec(client.output)?.[1], client)
  await client.stop()
  return JSON.parse(text) as { requestMs: number; connectionMs: number }
}

/** Calls without a pause, and says of each answer whose it was, and when, as soon as that changes. */
const callerScript = `
const http = require('node:http')
const proxy = new URL(process.env.HTTP_PROXY)
const agent = new http.Agent({ keepAlive: true })
let before
const told = (name) => {
  if (name !== before) console.log('from ' + name + ' at ' + Date.now() + '.')
  before = name
  setTimeout(call, 2)
}
const call = () => http.get({ agent, host: proxy.hostname, port: proxy.port, path: 'http://web/', headers: { host: 'web' } }, (reply) => {
  let text = ''
  reply.on('data', (part) => (text += part)).on('end', () => told(reply.statusCode === 200 ? text : 'nobody'))
}).on('error', () => told('nobody'))
call()`

async function comeback(world: World): Promise<number> {
  const first = await serve(world, 'explicit')
  const caller = world.run(['--service', 'caller', '--capture', 'explicit'], [process.execPath, '-e', callerScript])
  const [, old] = await until('it is answered', () => /from (\d+) at/.exec(caller.output) ?? undefined, caller)
  process.kill(first.pid, 'SIGKILL')
  await until('nobody answers', () => (/from nobody at/.test(caller.output) ? true : undefined), caller)
  await sleep(500)
  const second = await serve(world, 'explicit')
  const ready = /^(\S+Z) info agent: ready/m.exec(second.output)?.[1] ?? ''
  const found = await until(
    'it is answered again',
    () => Array.from(caller.output.matchAll(/from (\d+) at (\d+)\./g)).find(([, pid]) => pid !== old),
    caller,
  )
  await Promise.all([caller.stop(), second.stop(), first.stop()])
  return Number(found[2]) - Date.parse(ready)
}

const processFile = `processes:
  - name: web
    command: [python3, -m, http.server, '8080', --bind, 127.0.0.1]
    ports: [80=8080/http]
  - name: caller
    command: [curl, -sS, -o, /dev/null, -w, 'answered %{http_code}', http://web/]
    dependsOn: [web]
`

/** Both commands are given at once, as from two terminals. */
async function fromNothing(): Promise<number> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'weft-nothing-'))
  fs.writeFileSync(path.join(dir, 'processes.yaml'), processFile)
  const weft = `${process.execPath} ${script}`
  const both = `ip link set lo up; ${weft} up & up=$!; ${weft} run -f processes.yaml & run=$!; read line; kill $run; wait $run; kill $up; wait $up`
  const began = performance.now()
  const child: ChildProcess = spawn('unshare', ['--user', '--map-root-user', '--net', '--', 'sh', '-c', both], {
    cwd: dir,
    env: { PATH: systemPath, WEFT_DATA_DIR: path.join(dir, 'data'), TMPDIR: dir, NO_COLOR: '1' },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let said = ''
  child.stderr?.on('data', (text: Buffer) => void (said += text.toString()))
  const answeredMs = await new Promise<number>((resolve, reject) => {
    child.stdout?.on('data', (text: Buffer) => {
      said += text.toString()
      if (said.includes('answered 200')) resolve(performance.now() - began)
    })
    child.once('exit', () => reject(new Error(said)))
    setTimeout(() => {
      child.stdin?.end('\n')
      reject(new Error(`no answer within a minute: ${said}`))
    }, 60_000).unref()
  })
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.stdin?.end('\n')
  await gone
  fs.rmSync(dir, { recursive: true, force: true })
  return answeredMs
}

/** For people, with the bounds that issue 5 sets. */
export function formatEnrolment(one: Enrolment): string {
  const ms = (values: readonly number[]): string => median(values).toFixed(2)
  const sum = (parts: Readonly<Record<string, Memory>>, of: keyof Memory): number =>
    Object.values(parts).reduce((total, one) => total + one[of], 0)
  // The processes of one workload map the same file.
  const alone = (parts: Readonly<Record<string, Memory>>): number =>
    sum(parts, 'own') + Math.max(...Object.values(parts).map(({ shared }) => shared))
  const share = (100 * (median(one.requestMs.namespace) / median(one.requestMs.explicit) - 1)).toFixed(1)
  const rows = [
    ['from `weft run` to the program, ms', ms(one.startMs.explicit), ms(one.startMs.namespace), '< 500'],
    ...(['pss', 'own'] as const).map((of) => [
      `memory of all that it adds, idle, ${of === 'pss' ? 'PSS' : 'its own alone'}, MB`,
      sum(one.memory.explicit, of).toFixed(1),
      sum(one.memory.namespace, of).toFixed(1),
      '≤ 100',
    ]),
    [
      'the same with no other Node around, MB',
      alone(one.memory.explicit).toFixed(1),
      alone(one.memory.namespace).toFixed(1),
      '≤ 100',
    ],
    [
      'request on a pooled connection, ms',
      ms(one.requestMs.explicit),
      ms(one.requestMs.namespace),
      `within 10 % (${share} %)`,
    ],
    [
      'new TCP connection and a byte, ms',
      ms(one.connectionMs.explicit),
      ms(one.connectionMs.namespace),
      'at most 1 more',
    ],
    ['first call after a killed one is ready again, ms', ms(one.comebackMs), '', '< 200'],
    ['from nothing to an answer over mTLS, ms', '', ms(one.nothingToMeshMs), '< 1500'],
  ]
  return [
    '| | explicit | namespace | bound |',
    '|---|---|---|---|',
    ...rows.map((row) => `| ${row.join(' | ')} |`),
  ].join('\n')
}
