import assert from 'node:assert/strict'
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { test } from 'node:test'
import type { Duplex } from 'node:stream'
import { freePort } from '../world/free-port.ts'
import { requires } from '../world/requires.ts'
import { startSteadyLoad } from '../world/steady-load.ts'
import { until } from '../world/until.ts'
import { createWorld, sidecarOf, type Workload } from '../world/world.ts'

const streams = path.join(path.dirname(import.meta.dirname), 'world/programs/streams.mjs')

/** A stream that says something new every few milliseconds and must hear it back, in order, until it is ended. */
interface Echo {
  readonly sent: number
  /** Resolves when all that was sent has come back, ten lines from now. */
  goesOn(): Promise<void>
  /** Why it broke; undefined while it is whole. */
  readonly broken: string | undefined
  end(): void
}

function echo(socket: Duplex): Echo {
  let sent = 0
  let text = ''
  let broken: string | undefined
  let ending = false
  const timer = setInterval(() => void socket.write(`${++sent}\n`), 5)
  const over = (why: string): void => {
    clearInterval(timer)
    if (!ending) broken ??= why
  }
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.on('error', (error) => over(error.message))
  socket.on('close', () => over('closed'))
  const heard = (): number => {
    const lines = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1)
    lines.forEach((line, index) => assert.equal(line, String(index + 1)))
    return lines.length
  }
  return {
    get sent() {
      return sent
    },
    goesOn: async () => {
      const wanted = sent + 10
      await until('the stream goes on', () => broken !== undefined || heard() >= wanted)
      assert.equal(broken, undefined)
    },
    get broken() {
      return broken
    },
    end() {
      ending = true
      clearInterval(timer)
      socket.end()
    },
  }
}

function openStream({ proxy }: Workload, how: 'websocket' | 'tcp'): Promise<Echo> {
  const via = new URL(proxy)
  const place = { host: via.hostname, port: via.port, agent: false } as const
  return new Promise((resolve, reject) => {
    const request =
      how === 'tcp'
        ? http.request({ ...place, method: 'CONNECT', path: 'web:5432' })
        : http.request({
            ...place,
            path: 'http://web/ws',
            headers: { host: 'web', connection: 'Upgrade', upgrade: 'websocket' },
          })
    request.on('connect', (_, socket) => resolve(echo(socket)))
    request.on('upgrade', (_, socket) => resolve(echo(socket)))
    request.on('response', ({ statusCode }) => reject(new Error(`${how}: ${statusCode}`)))
    request.on('error', reject)
    request.end()
  })
}

const requestsIn = async ({ adminUrl }: Workload): Promise<number> => {
  const text = await (await fetch(`${adminUrl}/metrics`)).text()
  return Array.from(text.matchAll(/^weft_requests_total\{.* (\d+)$/gm), ([, count]) => Number(count)).reduce(
    (sum, count) => sum + count,
    0,
  )
}

test('hot upgrade: sidecars on both sides are replaced under load; no request fails, no stream is cut, no figure is lost', async (t) => {
  if (!requires(t, 'curl', 'linux')) return
  const world = createWorld(t)
  await world.up()
  const client = await world.run('client', { port: 0 })
  const [port, tcpPort] = [await freePort(), await freePort()]
  const web = await world.run('web', {
    port,
    args: ['--port', `5432=${tcpPort}/tcp`],
    command: (report) => [process.execPath, streams, String(port), String(tcpPort), report],
  })
  await world.curlUntil(client, 'http://web/', 200)
  const early = await requestsIn(client)
  const load = startSteadyLoad('http://web/', { proxy: client.proxy, ratePerSecond: 200 })
  const open = [await openStream(client, 'websocket'), await openStream(client, 'tcp')]
  await load.more(100)

  const before = { web: sidecarOf(web), client: sidecarOf(client) }
  const { status, out, err } = await world.weft(['upgrade', 'web', '--finish', '60s'])
  assert.equal(status, 0, err)
  assert.match(out, new RegExp(`^default/${web.name}: process \\d+ serves after \\d+ ms; ${before.web} finishes`))
  await load.more(100)
  const counted = await requestsIn(client)
  client.child.signal('SIGHUP')
  await client.child.said(/a new sidecar \(process \d+\) serves after \d+ ms/)
  assert.ok((await requestsIn(client)) >= counted, 'the new sidecar begins where the old one stood')
  await load.more(200)
  for (const one of open) await one.goesOn()

  const after = {
    web: Number(/process (\d+)/.exec(out)?.[1]),
    client: Number(/process (\d+)/.exec(client.child.err)?.[1]),
  }
  assert.ok(after.web !== before.web && after.client !== before.client)
  for (const pid of [...Object.values(before), ...Object.values(after)])
    assert.ok(fs.existsSync(`/proc/${pid}`), `${pid}`)
  for (const one of open) one.end()
  await until('the old sidecars have ended', () => Object.values(before).every((pid) => !fs.existsSync(`/proc/${pid}`)))
  await load.more(50)
  await load.stop()
  assert.deepEqual(load.failures(), [])
  // All of the load, and the WebSocket's.
  const wanted = early + load.visits.length + 1
  await until('every request is counted', async () => (await requestsIn(client)) >= wanted)
  assert.equal(await requestsIn(client), wanted, 'each was counted once')
})

test('hot upgrade: what cannot be meant is refused', async (t) => {
  const world = createWorld(t)
  await world.up()
  const unknown = await world.weft(['upgrade', 'nobody'])
  assert.equal(unknown.status, 1)
  assert.match(unknown.err, /no proxy default\/nobody/)
  const wrong = await world.weft(['upgrade', 'web', '--finish', 'soon'])
  assert.equal(wrong.status, 2)
  assert.match(wrong.err, /--finish is a duration/)
})
