import assert from 'node:assert/strict'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'
import { test } from 'node:test'
import { bindDatagrams } from './listener/datagrams.ts'
import { createOrderedDatagrams, type OrderedDatagrams } from './ordered-datagrams.ts'
import type { WantedSocket } from './sidecar-messages.ts'

const address = { host: '127.0.0.1', port: 5300 }

function desk(): { log: string[]; want: (one: WantedSocket) => void; release: (one: WantedSocket) => void } {
  const log: string[] = []
  const note =
    (what: string) =>
    ({ port, udp }: WantedSocket): void =>
      void log.push(`${what} ${port}${udp ? '/udp' : ''}`)
  return { log, want: note('want'), release: note('release') }
}

/** One that has been asked for and has come. */
async function taken(owner: ReturnType<typeof desk>): Promise<{ ordered: OrderedDatagrams; socket: Socket }> {
  const ordered = createOrderedDatagrams(owner)
  const wanted = ordered.order(address, new AbortController().signal)
  const datagrams = await bindDatagrams({ host: '127.0.0.1', port: 0 })
  ordered.add(address, () => datagrams)
  const { socket } = await wanted
  assert.equal(socket, datagrams.socket)
  return { ordered, socket }
}

test('a socket is asked for, comes, and is given back when it is closed', async () => {
  const owner = desk()
  const { socket } = await taken(owner)
  assert.deepEqual(owner.log, ['want 5300/udp'])
  socket.close()
  await once(socket, 'close')
  assert.deepEqual(owner.log, ['want 5300/udp', 'release 5300/udp'])
})

test('who waits no more gives back; what comes then is left alone', async () => {
  const owner = desk()
  const ordered = createOrderedDatagrams(owner)
  const unwanted = new AbortController()
  const wanted = ordered.order(address, unwanted.signal)
  unwanted.abort()
  await assert.rejects(wanted, /nobody waits/)
  ordered.add(address, () => assert.fail('it must not be read'))
  assert.deepEqual(owner.log, ['want 5300/udp', 'release 5300/udp'])
})

test('while another process takes over, a closed socket is not given back: that one has it', async () => {
  const owner = desk()
  const { ordered, socket } = await taken(owner)
  ordered.close()
  socket.close()
  await once(socket, 'close')
  assert.deepEqual(owner.log, ['want 5300/udp'])
})
