import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { test } from 'node:test'
import { buildCluster, buildConfig, buildInbound } from './testing/build-config.ts'
import { ownAddress, program, startProxy } from './testing/world.ts'

test('a listener that comes while another program has its address serves once that one has let go', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const taken = { host: '127.0.0.1', port: (other.address() as AddressInfo).port }
  const answering = await program(t, (one) => one.on('data', () => one.write('HTTP/1.1 204 No Content\r\n\r\n')))
  const clusters = [buildCluster('program', [answering])]
  const first = { ...buildInbound(await ownAddress(t), 'program', { mesh: false }), name: 'first' }
  const late = { ...buildInbound(taken, 'program', { mesh: false }), name: 'late' }
  const { config } = await startProxy(t, buildConfig({ listeners: [first], clusters }))
  config.set(buildConfig({ listeners: [first, late], clusters }))
  // Refused by the system meanwhile: it is the other program that is there.
  const [accepted] = await Promise.all([once(other, 'connection'), once(net.connect(taken), 'connect')])
  ;(accepted[0] as net.Socket).destroy()
  await once(other.close(), 'close')
  const statusOf = async (): Promise<number> =>
    (await fetch(`http://127.0.0.1:${taken.port}/`, { headers: { connection: 'close' } }).catch(() => undefined))
      ?.status ?? 0
  while ((await statusOf()) !== 204) await new Promise<void>((resolve) => setTimeout(resolve, 20))
  assert.equal(await statusOf(), 204)
})
