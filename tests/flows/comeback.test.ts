import assert from 'node:assert/strict'
import http from 'node:http'
import { test } from 'node:test'
import { until } from '../world/until.ts'
import { createWorld, type Workload } from '../world/world.ts'

test('a program that was killed and started again gets calls as soon as it is ready', async (t) => {
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const web = await world.run('web', { says: 'first', args: ['--restart', 'always', '--verbose'] })
  await world.run('web', { says: 'second' })
  const agent = new http.Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const calls = callers(client, agent)
  await calls.until((name) => name === 'second')
  let { pid } = await calls.until((name) => name === 'first')
  for (const round of [1, 2]) {
    const readyCount = (): number => web.child.err.split(' info agent: ready ').length
    const before = readyCount()
    process.kill(pid, 'SIGKILL')
    await until('it is ready again', async () => {
      await calls.once()
      return readyCount() > before
    })
    const readyMs = performance.now()
    const old = pid
    const found = await calls.until((name, now) => name === 'first' && now !== old)
    t.diagnostic(`round ${round}: first call ${Math.round(performance.now() - readyMs)} ms after it was ready`)
    // Calls one after the other: only a balancer that holds the crash against it would ask the other one so often.
    assert.ok(found.asked < 200, `${found.asked} calls went to the other one`)
    pid = found.pid
  }
})

interface Answer {
  readonly name: string
  readonly pid: number
}

/** One call after the other, each answered with 200. */
function callers(from: Workload, agent: http.Agent) {
  const { hostname, port } = new URL(from.proxy)
  const once = (): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const request = http.get(
        { agent, host: hostname, port, path: 'http://web/', headers: { host: 'web' } },
        (response) => {
          let text = ''
          response.setEncoding('utf8').on('data', (part: string) => void (text += part))
          response.on('end', () => {
            if (response.statusCode === 200) resolve(JSON.parse(text) as Answer)
            else reject(new Error(`${response.statusCode} ${text}`))
          })
        },
      )
      request.on('error', reject)
    })
  return {
    once,
    async until(wanted: (name: string, pid: number) => boolean): Promise<Answer & { readonly asked: number }> {
      for (let asked = 1; asked < 2000; asked++) {
        const answer = await once()
        if (wanted(answer.name, answer.pid)) return { ...answer, asked }
      }
      throw new Error('nobody like that answers')
    },
  }
}
