import assert from 'node:assert/strict'
import { once } from 'node:events'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { openSplice } from './splice.ts'

const skip = process.platform !== 'linux'

/** Two ends of a connection; the first is not read by Node, so its descriptor is ours to read. */
async function pair(t: TestContext): Promise<{ readonly ours: Socket; readonly theirs: Socket; readonly fd: number }> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const theirs = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {})
  const [[ours]] = await Promise.all([accepted, once(theirs, 'connect')])
  ours.on('error', () => {})
  t.after(() => (ours.destroy(), theirs.destroy(), server.close()))
  const { fd } = (ours as unknown as { readonly _handle: { readonly fd: number } })._handle
  return { ours, theirs, fd }
}

const bytesOf = (length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255))
const readAll = async (socket: Socket, length: number): Promise<Buffer> => {
  const parts: Buffer[] = []
  let read = 0
  while (read < length) {
    const part = (socket.read() as Buffer | null) ?? undefined
    if (part === undefined) await once(socket, 'readable')
    else read += parts.push(part) && part.length
  }
  return Buffer.concat(parts)
}
/** Written, and in the hands of the kernel. */
const written = (socket: Socket, bytes: Buffer): Promise<unknown> => new Promise((done) => socket.write(bytes, done))

test(
  'what has arrived is passed on, and what the other side does not take is given back in order',
  { skip },
  async (t) => {
    const splice = openSplice()
    assert.ok(splice)
    const [from, to] = [await pair(t), await pair(t)]
    assert.deepEqual(splice.move(from.fd, to.fd, 1000), { taken: 0, left: 0, broken: false }, 'nothing has come')

    const sent = bytesOf(300_000)
    await written(from.theirs, sent)
    assert.deepEqual(splice.move(from.fd, to.fd, 1000), { taken: 1000, left: 0, broken: false })
    let passed = 1000
    for (let moved = -1; moved !== 0;) passed += moved = splice.move(from.fd, to.fd, 1_048_576).taken
    assert.equal(passed, sent.length)
    assert.deepEqual(await readAll(to.theirs, passed), sent)

    // Now nobody reads; after a while the kernel takes no more.
    to.theirs.pause()
    const more = bytesOf(64_000)
    const expected: Buffer[] = []
    let left = 0
    while (left === 0) {
      await written(from.theirs, more)
      expected.push(more)
      for (let taken = -1; taken !== 0 && left === 0;) ({ taken, left } = splice.move(from.fd, to.fd, 1_048_576))
    }
    const all = Buffer.concat(expected)
    const got = readAll(to.theirs, all.length)
    const rest = Buffer.alloc(left)
    for (let read = 0; read < left;) read += splice.read(rest.subarray(read, read + 10_000))
    assert.ok(splice.read(Buffer.alloc(1)) < 0, 'there was no more')
    await written(to.ours, rest)
    for (let moved = { taken: -1, left: 0 }; moved.taken !== 0;) {
      moved = splice.move(from.fd, to.fd, 1_048_576)
      assert.equal(moved.left, 0)
    }
    assert.ok(all.equals(await got))
  },
)

test('a clean end is nothing, a reset is not taken for one', { skip }, async (t) => {
  const splice = openSplice()
  assert.ok(splice)
  const [ended, cut, to] = [await pair(t), await pair(t), await pair(t)]
  await new Promise<void>((done) => ended.theirs.end('bye', done))
  assert.equal(splice.move(ended.fd, to.fd, 1000).taken, 3)
  assert.deepEqual(splice.move(ended.fd, to.fd, 1000), { taken: 0, left: 0, broken: false })
  cut.theirs.resetAndDestroy()
  await once(cut.theirs, 'close')
  assert.deepEqual(splice.move(cut.fd, to.fd, 1000), { taken: 0, left: 0, broken: true })
})

test('as much is sent as the kernel takes at once', { skip }, async (t) => {
  const splice = openSplice()
  assert.ok(splice)
  const { fd, theirs } = await pair(t)
  theirs.pause()
  const bytes = bytesOf(131_072)
  let total = 0
  for (let sent = -1; sent !== 0;) total += sent = splice.send(fd, bytes.subarray(total % bytes.length))
  assert.ok(total > bytes.length, `${total} bytes`)
  const expected = Buffer.concat(Array.from({ length: Math.ceil(total / bytes.length) }, () => bytes)).subarray(
    0,
    total,
  )
  assert.ok(expected.equals(await readAll(theirs, total)))
})
