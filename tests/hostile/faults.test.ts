import assert from 'node:assert/strict'
import { once } from 'node:events'
import http2 from 'node:http2'
import net from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import { buildCluster, buildConfig, buildInbound } from '../../src/proxy/testing/build-config.ts'
import { ownAddress, program, startProxy } from '../../src/proxy/testing/world.ts'
import { startChild } from '../world/child.ts'
import { requires } from '../world/requires.ts'
import { until } from '../world/until.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy } from './bare-proxy.ts'
import { exchange, statuses } from './raw-exchange.ts'

const answering = (t: TestContext): Promise<Address> =>
  program(t, (socket) => socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')))
const get = 'GET / HTTP/1.1\r\nHost: web\r\n\r\n'

/** A port whose queue is full: the kernel drops what else wants to connect, and says nothing. */
async function blackHole(t: TestContext): Promise<Address> {
  const script =
    'import socket,time\ns=socket.socket();s.bind(("127.0.0.1",0));s.listen(0)\n' +
    'print("port",s.getsockname()[1],flush=True)\ntime.sleep(600)'
  const child = startChild('black hole', ['python3', '-c', script], {
    env: { PATH: process.env['PATH'] ?? '' },
    cwd: '/',
  })
  t.after(() => child.killAll())
  const port = Number((await child.said(/port (\d+)/))[1])
  const at = { host: '127.0.0.1', port }
  // The queue takes one more than it was told to.
  await Promise.all(
    [0, 1].map(async () => {
      const socket = net.connect(at).on('error', () => {})
      t.after(() => socket.destroy())
      await Promise.race([once(socket, 'connect'), new Promise((resolve) => setTimeout(resolve, 500))])
    }),
  )
  return at
}

test('26: an endpoint that swallows connections costs its connect timeout, then it is ejected, and no call fails', async (t) => {
  if (!requires(t, 'linux', 'python3')) return
  const hole = await blackHole(t)
  const proxy = await startBareProxy(createWorld(t), await answering(t), {
    more: [hole],
    cluster: {
      connect_timeout: '0.3s',
      lb_policy: 'ROUND_ROBIN',
      outlier_detection: {
        split_external_local_origin_errors: true,
        consecutive_local_origin_failure: 2,
        max_ejection_percent: 50,
      },
    },
    route: { retry_policy: { retry_on: 'connect-failure', num_retries: 2 } },
  })
  for (let round = 0; round < 12; round++) {
    const answer = await exchange(t, proxy.at, get.replace('Host', 'Connection: close\r\nHost'))
    assert.deepEqual(statuses(answer), [200], `${round}: ${answer}`)
  }
  const clusters = JSON.parse((await proxy.admin('/clusters')).body) as {
    endpoints: { address: string; ejected: boolean }[]
  }[]
  const ejected = clusters.flatMap(({ endpoints }) =>
    endpoints.filter((one) => one.ejected).map(({ address }) => address),
  )
  assert.deepEqual(ejected, [`127.0.0.1:${hole.port}`])
})

test('33: told to stop under HTTP/1.1 and HTTP/2, it takes nothing new, finishes what it has, and ends with 0', async (t) => {
  const waiting: net.Socket[] = []
  const at = await program(t, (socket) => socket.on('data', () => void waiting.push(socket)))
  const proxy = await startBareProxy(createWorld(t), at)
  const first = net.connect(proxy.at).on('error', () => {})
  t.after(() => first.destroy())
  let text = ''
  first.on('data', (chunk: Buffer) => void (text += chunk.toString('latin1')))
  first.write(get)
  const session = http2.connect(`http://127.0.0.1:${proxy.at.port}`).on('error', () => {})
  t.after(() => session.destroy())
  const goneAway = once(session, 'goaway')
  const streams = Array.from({ length: 100 }, async () => {
    const stream = session.request({ ':path': '/', ':authority': 'web' })
    let body = ''
    stream.setEncoding('latin1').on('data', (chunk: string) => void (body += chunk))
    await once(stream, 'close')
    return body
  })
  await until('all calls are with the program', () => waiting.length === 101)
  proxy.child.signal('SIGTERM')
  await goneAway
  await until('nobody else is let in', async () => {
    const late = net.connect(proxy.at)
    t.after(() => late.destroy())
    return new Promise<boolean>((resolve) => {
      late.on('error', () => resolve(true)).once('connect', () => resolve(false))
    })
  })
  for (const socket of waiting) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
  assert.deepEqual(new Set(await Promise.all(streams)), new Set(['ok']))
  await until('the call of HTTP/1.1 is answered, as the last one', () => /^HTTP\/1\.1 200 [^]*ok$/.test(text))
  assert.match(text, /\r\nconnection: close\r\n/)
  assert.equal(await proxy.child.ended, 0)
})

test('38: while memory is short calls are refused, their connections end, and then it goes on', async (t) => {
  const listener = buildInbound(await ownAddress(t), 'program', { mesh: false })
  let share = 0.5
  const { metrics } = await startProxy(
    t,
    buildConfig({ listeners: [listener], clusters: [buildCluster('program', [await answering(t)])] }),
    { machine: { descriptors: Infinity, memoryShare: () => share } },
  )
  const ask = (): Promise<string> => exchange(t, listener.address, get)
  assert.deepEqual(statuses(await ask()), [200])
  share = 0.96
  const refused = await until('a call is refused', async () => {
    const answer = await ask()
    return statuses(answer)[0] === 503 && answer
  })
  assert.match(refused, /x-weft-fault: overload\r\n[^]*connection: close\r\n[^]*this proxy is short of memory\n$/)
  assert.match(metrics.exposition(), /weft_refused_total\{listener="inbound",reason="overload"\} [1-9]/)
  share = 0.5
  await until('calls are taken again', async () => statuses(await ask())[0] === 200)
})
