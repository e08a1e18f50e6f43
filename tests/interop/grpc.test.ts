import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { runToEnd } from '../world/child.ts'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'
import { createWorld, type Workload, type World } from '../world/world.ts'

const programs = path.join(import.meta.dirname, 'grpc')

/** A Python that has grpcio, or why there is none. */
const python = ((): { readonly command: string } | { readonly skip: string } => {
  const command = process.env['GRPC_PYTHON'] ?? 'python3'
  if (spawnSync(command, ['-c', 'import grpc']).status === 0) return { command }
  const skip = 'GRPC_PYTHON must name a Python that has grpcio (pip install grpcio)'
  if (process.env['CI'] === 'true') throw new Error(`${skip}; with CI=true this is a failure`)
  return { skip }
})()

type Language = 'grpc-js' | 'grpcio'

/** The command of a program in one of both languages; undefined: there is no Python for it. */
function commandOf(language: Language, program: 'server' | 'client'): readonly string[] | undefined {
  if (language === 'grpc-js') return [process.execPath, path.join(programs, `${program}.mjs`)]
  return 'command' in python ? [python.command, path.join(programs, `${program}.py`)] : undefined
}

async function serve(world: World, service: string, command: readonly string[]): Promise<Workload> {
  const port = await freePort()
  return world.run(service, {
    port: 0,
    args: ['--port', `50051=${port}/grpc`],
    command: (report) => [...command, service, String(port), report],
  })
}

const call = async (from: Workload, command: readonly string[], ...args: readonly string[]): Promise<string> => {
  const [first = '', ...rest] = command
  const place = { env: from.env, cwd: programs, withinMs: 60_000 }
  const { status, out, err } = await runToEnd([first, ...rest, ...args], place)
  assert.equal(status, 0, `${out}${err}`)
  return out
}

/** What every pair of client and server must come to. */
const expected = (server: string): object => ({
  unary: [0, 'hello', `${server} a`, '00ff'],
  large: true,
  collect: ['20 200000', '00ff'],
  count: [0, 100, true, '00ff'],
  chat: [0, 20, '00ff'],
  fail: [9, 'öre 100 %'],
  unknown: 12,
  deadline: 4,
  cancel: 1,
  cancelled: true,
})

for (const server of ['grpc-js', 'grpcio'] as const)
  for (const client of ['grpc-js', 'grpcio'] as const)
    test(`gRPC: ${client} calls ${server}, all four kinds, through the mesh`, async (t: TestContext) => {
      const [serving, calling] = [commandOf(server, 'server'), commandOf(client, 'client')]
      if (serving === undefined || calling === undefined) return t.skip('skip' in python ? python.skip : '')
      const world = createWorld(t)
      await world.up()
      const [callee, caller] = await Promise.all([serve(world, 'orders', serving), world.run('shop', { port: 0 })])
      assert.deepEqual(JSON.parse(await call(caller, calling, 'orders:50051')), expected('orders'))
      const metrics = (await world.curl(undefined, `${callee.adminUrl}/metrics`)).body
      assert.match(metrics, /weft_requests_total\{[^}]*source="[^"]*sa\/shop"[^}]*grpc_status="0"[^}]*tls="true"/)
    })

test('gRPC: calls are balanced one by one; a killed server is UNAVAILABLE, and others are called in its place', async (t) => {
  const world = createWorld(t)
  await world.up()
  const [serving, calling] = [commandOf('grpc-js', 'server'), commandOf('grpc-js', 'client')]
  assert.ok(serving && calling)
  const [first, second, caller] = await Promise.all([
    serve(world, 'orders', serving),
    serve(world, 'orders', serving),
    world.run('shop', { port: 0 }),
  ])
  const allOk = Array<number>(40).fill(0)
  assert.deepEqual(JSON.parse(await call(caller, calling, 'orders:50051', 'calls', '40')), allOk)
  const metrics = (await world.curl(undefined, `${caller.adminUrl}/metrics`)).body
  for (const { name } of [first, second])
    assert.match(
      metrics,
      new RegExp(`weft_requests_total\\{[^}]*destination_workload="default/${name}"[^}]*grpc_status="0"`),
    )

  // Both have a call under way when one of them is killed.
  const [command = '', ...args] = calling
  const slow = Array.from({ length: 8 }, () => {
    const child = spawn(command, [...args, 'orders:50051', 'slow'], { env: { ...caller.env } })
    const one = { child, out: '' }
    child.stdout.on('data', (chunk: Buffer) => void (one.out += chunk.toString()))
    t.after(() => child.kill('SIGKILL'))
    return one
  })
  const activeAt = async ({ adminUrl }: Workload): Promise<number> =>
    Number(
      /weft_active_requests\{direction="inbound"\} (\d+)/.exec(
        (await world.curl(undefined, `${adminUrl}/metrics`)).body,
      )?.[1],
    )
  const held = await until('all calls have arrived', async () => {
    const each = [await activeAt(first), await activeAt(second)] as const
    return each[0] + each[1] === slow.length && each
  })
  const [killed, hit] = held[0] > 0 ? [first, held[0]] : [second, held[1]]
  process.kill(killed.programPid, 'SIGKILL')
  await until('the calls there have ended', () => slow.filter(({ child }) => child.exitCode !== null).length === hit)
  for (const { child, out } of slow) if (child.exitCode !== null) assert.equal(out, 'begun\n14\n')
  assert.deepEqual(JSON.parse(await call(caller, calling, 'orders:50051', 'calls', '40')), allOk)
  for (const { child } of slow) {
    if (child.exitCode !== null) continue
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
})
