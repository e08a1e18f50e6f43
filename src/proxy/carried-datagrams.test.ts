import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { headBytes } from '../base/datagram-frame.ts'
import { parseIp } from '../base/ip-prefix.ts'
import { bindDatagrams } from './listener/datagrams.ts'
import { buildConfig, buildOutbound, buildPassthrough } from './testing/build-config.ts'
import { eventually, ownAddress, startProxy } from './testing/world.ts'

const loopback = { host: '127.0.0.1', port: 0 }

function frame(source: string, destination: string, port: number): Buffer {
  const [from = new Uint8Array(), to = new Uint8Array()] = [parseIp(source), parseIp(destination)]
  const size = from.length === 4 ? 4 : 16
  const bytes = Buffer.alloc(headBytes(size) + 2, 'hi')
  bytes[0] = size
  bytes.set(from, 1)
  bytes.writeUInt16BE(40_000, 1 + size)
  bytes.set(to, 3 + size)
  bytes.writeUInt16BE(port, 3 + 2 * size)
  return bytes
}

async function start(t: TestContext, carriesDatagrams: boolean) {
  const [helper, stranger, socket] = await Promise.all(
    [loopback, loopback, loopback].map(async (at) => (await bindDatagrams(at)).socket),
  )
  assert.ok(helper !== undefined && stranger !== undefined && socket !== undefined)
  t.after(() => [helper, stranger].forEach((one) => one.close()))
  const told: boolean[] = []
  const captured = { ...buildOutbound(await ownAddress(t)), originalDestination: true }
  const config = (allow: boolean) =>
    buildConfig({ listeners: [{ ...captured, carriesDatagrams: allow }], clusters: [buildPassthrough()] })
  const carrier = Promise.resolve({ socket, stop() {}, relay: helper.address().port })
  const proxy = await startProxy(t, config(carriesDatagrams), {
    captured: { carrier, allowDatagrams: (allow) => told.push(allow) },
  })
  const send = async (from: typeof helper, ...frames: readonly Buffer[]): Promise<void> => {
    for (const one of frames) await new Promise((sent) => from.send(one, socket.address().port, '127.0.0.1', sent))
  }
  const refused = (): number =>
    Number(/weft_udp_dropped_datagrams_total\{[^}]*reason="refused"\} (\d+)/.exec(proxy.metrics.exposition())?.[1] ?? 0)
  return { ...proxy, config: proxy.config, build: config, helper, stranger, send, refused, told }
}

test('what means nothing outside, or is a service, is refused although datagrams are carried', async (t) => {
  const { helper, stranger, send, refused, told } = await start(t, true)
  assert.deepEqual(told, [true])
  const nowhere = ['127.0.0.1', '0.0.0.0', '224.0.0.251', '239.1.1.1', '241.1.2.3', '255.255.255.255']
  // Whoever else writes to this port is not heard, nor is what is no frame.
  await send(stranger, frame('192.0.2.1', '127.0.0.1', 53))
  await send(helper, Buffer.from('?'), ...nowhere.map((host) => frame('192.0.2.1', host, 123)))
  await send(helper, frame('::2', '::1', 123), frame('::2', 'ff02::fb', 5353), frame('192.0.2.1', '192.0.2.2', 0))
  await eventually(() => refused() === nowhere.length + 3)
})

test('the agent hears of each change, and under Refuse nothing is begun', async (t) => {
  const { helper, send, refused, told, config, build, metrics } = await start(t, false)
  await send(helper, frame('192.0.2.1', '192.0.2.2', 123))
  await eventually(() => refused() === 1)
  assert.doesNotMatch(metrics.exposition(), /weft_udp_sessions_total/)
  config.set(build(true))
  config.set(build(true))
  config.set(build(false))
  assert.deepEqual(told, [false, true, false])
})

test('once it drains nothing more is taken, and without sessions it is over at once', async (t) => {
  const { proxy, told } = await start(t, true)
  await proxy.drain(60_000)
  assert.deepEqual(told, [true])
})
