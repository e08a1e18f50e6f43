import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import { test } from 'node:test'
import { canCapture, captured, inside, ordinary, ourselves, sidecarsOf } from '../world/capturing.ts'
import { freePort } from '../world/free-port.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'

// Whoever is killed without a word, alone or with others: in the end there is no process, namespace, rule, socket, file or workload left
// of it, and the next one starts on the same ports.

type Part = 'agent' | 'sidecar' | 'helper'
const cases: readonly { readonly killed: readonly Part[]; readonly status: number | undefined }[] = [
  { killed: ['helper'], status: 137 },
  { killed: ['agent', 'sidecar'], status: undefined },
  { killed: ['agent', 'helper'], status: undefined },
  { killed: ['agent', 'sidecar', 'helper'], status: undefined },
]

const namespaceOf = (pid: number): string | undefined => {
  try {
    return fs.readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return undefined
  }
}
/** Seconds since the machine started: now, and when a process began; Infinity: it is gone. */
const uptime = (): number => Number(fs.readFileSync('/proc/uptime', 'utf8').split(' ')[0])
const begunAt = (pid: number): number => {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]) / 100
  } catch {
    return Infinity
  }
}
/** Whether any of the processes lives that were in it `untilS`: its number is given to the next namespace, of another test maybe. */
const livesIn = (namespace: string, untilS: number): boolean =>
  fs
    .readdirSync('/proc')
    .some((pid) => /^\d+$/.test(pid) && namespaceOf(Number(pid)) === namespace && begunAt(Number(pid)) <= untilS)
const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
/** Tables of ours in the namespace of the tests; as nobody there is nothing to be seen, nor to be left. */
const ourTables = (): string =>
  (spawnSync('nft', ['list', 'tables'], { encoding: 'utf8' }).stdout ?? '').replaceAll(/^(?!.*\bweft\b).*\n/gm, '')

for (const who of [ourselves, ordinary])
  test(`after SIGKILL of agent, sidecar and helper, alone and together, nothing is left ${who.title}`, async (t) => {
    if (!canCapture(t, who)) return
    const world = createWorld(t)
    fs.chownSync(world.dir, who.uid, who.uid)
    await world.up({ prefix: who.prefix })
    const [port, inbound] = [await freePort(), await freePort()]
    const start = () =>
      world.run('web', { port, args: [...captured, '--inbound', `127.0.0.1:${inbound}`], prefix: who.prefix })
    const tables = ourTables()
    for (const { killed, status } of cases) {
      const web = await start()
      const files = fs.readdirSync(world.dir).toSorted()
      const agent = web.child.pid ?? 0
      const namespace = namespaceOf(web.programPid)
      assert.ok(namespace !== undefined && namespace !== namespaceOf(process.pid))
      const [sidecar = 0] = sidecarsOf(agent)
      const helper = Number(/^PPid:\s+(\d+)$/m.exec(fs.readFileSync(`/proc/${web.programPid}/status`, 'utf8'))?.[1])
      const pids: Readonly<Record<Part, number>> = { agent, sidecar, helper }
      assert.ok(sidecar > 1 && helper > 1 && helper !== agent)

      const gone = killed.join(', ')
      assert.ok(livesIn(namespace, uptime()))
      const killedS = uptime()
      for (const part of killed) process.kill(pids[part], 'SIGKILL')
      const ended = await web.child.ended
      if (status !== undefined) assert.equal(ended, status, web.child.err)
      for (const pid of [agent, sidecar, helper, web.programPid])
        await until(`${gone} killed: process ${pid} is gone`, () => !fs.existsSync(`/proc/${pid}`))
      assert.equal(livesIn(namespace, killedS), false, `${gone}: the namespace is gone with its last process`)
      for (const one of [port, inbound]) assert.ok(await isFree(one), `${gone}: port ${one} is free again`)
      assert.equal(ourTables(), tables)
      assert.deepEqual(fs.readdirSync(world.dir).toSorted(), files)
      await until(
        `${gone}: its lease is over`,
        async () => !(await world.weft(['get', 'workloads'])).out.includes(web.name),
      )
    }
    const next = await start()
    const answer = await inside(world, who, 'curl', '-sS', '--max-time', '10', 'http://web/')
    assert.equal((JSON.parse(answer.out) as { name: string }).name, 'web', answer.err)
    assert.equal(await next.stop(), 0)
  })
