import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { kept, readShared } from './shared-reads.ts'

/** Both ends of a connection; the accepted one stands still. */
async function pair(t: TestContext): Promise<{ near: Socket; far: Socket }> {
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const far = net.connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [near] = (await once(server, 'connection')) as [Socket]
  t.after(() => {
    near.destroy()
    far.destroy()
    server.close()
  })
  return { near, far }
}

test('what was put back comes first, then all bytes in order, through pauses, to the end', async (t) => {
  const { near, far } = await pair(t)
  const sent = Buffer.from(Array.from({ length: 3_000_000 }, (_, index) => (index * 31) & 0xff))
  near.unshift(Buffer.from('first '))
  const pieces: Buffer[] = []
  let shared = 0
  readShared(near, (chunk) => {
    pieces.push(Buffer.from(chunk))
    if (kept(chunk) !== chunk) shared++
    near.pause()
    setImmediate(() => near.resume())
  })
  far.end(sent)
  near.resume()
  await once(near, 'end')
  assert.deepEqual(Buffer.concat(pieces), Buffer.concat([Buffer.from('first '), sent]))
  assert.ok(shared > 1, 'the room is used')
})

test('a chunk that was not copied is gone with the next read; a kept one stays', async (t) => {
  const { near, far } = await pair(t)
  const seen: Buffer[] = []
  const copies: Buffer[] = []
  const two = new Promise<void>((resolve) => {
    readShared(near, (chunk) => {
      seen.push(chunk)
      copies.push(kept(chunk))
      if (seen.length === 2) resolve()
      else far.write('second')
    })
  })
  near.resume()
  far.write('first!')
  await two
  assert.deepEqual(copies.map(String), ['first!', 'second'])
  assert.equal(String(seen[0]), 'second')
})

test('back at ordinary reads the stream can be read by anybody', async (t) => {
  const { near, far } = await pair(t)
  const heard = new Promise<() => void>((resolve) => {
    const back = readShared(near, () => resolve(back))
  })
  near.resume()
  far.write('one')
  const back = await heard
  near.pause()
  back()
  far.end('two')
  const chunks = await near.toArray()
  assert.equal(Buffer.concat(chunks as Buffer[]).toString(), 'two')
})
