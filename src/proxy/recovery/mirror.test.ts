import assert from 'node:assert/strict'
import { test } from 'node:test'
import { seeded } from '../../base/random.ts'
import { bytesBody, type Body } from '../http/body.ts'
import type { Fault } from '../http/fault.ts'
import { isFault, type Call, type Outcome, type Service } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { marked, mirror, type MirrorTarget } from './mirror.ts'

const textOf = (body: Body): Promise<string> =>
  new Promise((resolve) => {
    let text = ''
    body.start({
      data: (chunk) => ((text += chunk.toString()), true),
      end: () => resolve(text),
      fail: (fault) => resolve(`${text}!${fault.kind}`),
    })
  })

/** What the original and the mirror saw, and how the mirrored call ended. */
function world(answer: Service, more: Partial<MirrorTarget> = {}) {
  const seen: string[] = []
  const ends: Outcome[] = []
  const bugs: unknown[] = []
  const service: Service = async (call) => {
    call.onEnd((outcome) => ends.push(outcome))
    seen.push(`${call.method} ${call.authority}${call.path} ${await textOf(call.body)}`)
    return answer(call)
  }
  const target: MirrorTarget = { service, share: 1, markHost: true, ...more }
  const layer = mirror([target], { random: seeded(1), failed: (error) => bugs.push(error) })
  assert.ok(layer)
  const originals: string[] = []
  const send = layer(async (call: Call) => {
    originals.push(`${call.authority} ${await textOf(call.body)}`)
    return makeReply(201)
  })
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return { send, seen, ends, bugs, originals, settled }
}

test('the copy has head and body of the original, and a host that tells it apart', async () => {
  const { send, seen, originals, ends, settled } = world(() => Promise.resolve(makeReply(500)))
  const call = makeCall({ method: 'POST', authority: 'web:80', path: '/a?q', body: bytesBody(Buffer.from('order')) })
  const answer = await send(call)
  assert.ok(!isFault(answer) && answer.status === 201)
  await settled()
  assert.deepEqual(originals, ['web:80 order'])
  assert.deepEqual(seen, ['POST web-shadow:80/a?q order'])
  assert.deepEqual(ends, [{ status: 500, fault: undefined }])
  assert.equal(call.trace.attempts, 0)
})

test('neither a fault, nor a bug, nor silence of the mirror reaches the original', async () => {
  const fault: Fault = { kind: 'no-endpoint', side: 'upstream', retry: 'safe', cluster: 'c' }
  const answers: readonly Service[] = [
    () => Promise.resolve(fault),
    () => Promise.reject(new Error('bug')),
    () => new Promise(() => {}),
  ]
  for (const answer of answers) {
    const { send, bugs, settled } = world(answer)
    const reply = await send(makeCall())
    assert.ok(!isFault(reply) && reply.status === 201)
    await settled()
    assert.equal(bugs.length, answer === answers[1] ? 1 : 0)
  }
})

test('when the original is over before its body had come, the copy is too', async () => {
  const { send, seen, settled } = world(() => Promise.resolve(makeReply()))
  const endless: Body = { length: undefined, start() {}, resume() {}, cancel() {} }
  const call = makeCall({ method: 'POST', body: endless })
  void send(call)
  await settled()
  assert.deepEqual(seen, [])
  call.end({ status: 503, fault: undefined })
  await settled()
  assert.deepEqual(seen, ['POST web.test-shadow/ !client-gone'])
})

test('the client that goes away does not cancel the copy', async () => {
  let heard = 0
  const { send, settled } = world((call) => {
    call.onCancel(() => heard++)
    return new Promise(() => {})
  })
  const call = makeCall()
  await send(call)
  await settled()
  call.cancel({ kind: 'client-gone', side: 'downstream', retry: 'never', cause: 'test' })
  assert.equal(heard, 0)
})

test('a share is a share; tunnels are none', async () => {
  const { send, seen, settled } = world(() => Promise.resolve(makeReply()), { share: 0.2, markHost: false })
  for (let count = 0; count < 1000; count++) await send(makeCall())
  await settled()
  assert.ok(Math.abs(seen.length - 200) < 50, `${seen.length}`)
  assert.equal(seen[0], 'GET web.test/ ')
  const all = world(() => Promise.resolve(makeReply()))
  await all.send(makeCall({ upgrade: 'websocket' }))
  await all.send(makeCall({ method: 'CONNECT' }))
  await all.settled()
  assert.deepEqual(all.seen, [])
  assert.equal(mirror([], { random: seeded(1), failed() {} }), undefined)
})

test('hosts are marked as Envoy marks them', () => {
  assert.equal(marked('web'), 'web-shadow')
  assert.equal(marked('web:80'), 'web-shadow:80')
  assert.equal(marked('[::1]:80'), '[::1]:80-shadow')
})
