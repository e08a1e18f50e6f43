import assert from 'node:assert/strict'
import { test } from 'node:test'
import { headerField, headerValue } from '../http/headers.ts'
import { isFault, type Reply } from '../http/service.ts'
import { makeCall, makeReply } from '../http/testing/fake-call.ts'
import { tellAttempt, tellAttempts } from './tell-attempt.ts'

const header = 'x-envoy-attempt-count'

test('an upstream hears which attempt it gets, whatever its caller says', async () => {
  let heard: string | undefined
  const service = tellAttempt((call) => {
    heard = headerValue(call.headers, header)
    return Promise.resolve(makeReply())
  })
  await service(
    makeCall({ headers: { [header]: '9' }, trace: { tried: [], attempts: 1, bytesSent: 0, bytesReceived: 0 } }),
  )
  assert.equal(heard, '2')
})

test('a client hears how many attempts its answer took, whatever the upstream says', async () => {
  const service = tellAttempts((call) => {
    call.trace.attempts = 3
    return Promise.resolve<Reply>({ ...makeReply(), headers: [headerField(header, '1'), headerField('x', 'y')] })
  })
  const answer = await service(makeCall())
  assert.ok(!isFault(answer))
  assert.deepEqual(
    answer.headers.map(({ name, value }) => `${name}: ${value}`),
    ['x: y', `${header}: 3`],
  )
})
