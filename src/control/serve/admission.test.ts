import assert from 'node:assert/strict'
import { test } from 'node:test'
import { create } from '@bufbuild/protobuf'
import { status } from '@grpc/grpc-js'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { settable } from '../../base/watchable.ts'
import { NodeSchema, type Node } from '../../xds/gen/envoy/config/core/v3/base_pb.ts'
import { completeModel } from '../render/testing/model-yaml.ts'
import { admit } from './admission.ts'
import type { Caller } from './service.ts'

const model = settable(completeModel({ workloads: [{ name: 'web-1' }] }))
const node = (id: string): Node => create(NodeSchema, { id })
const caller = (parts: Partial<Caller> = {}): Caller => ({ local: false, disconnect() {}, ...parts })
const web = 'spiffe://weft.local/ns/default/sa/web'

const verdict = async (who: Caller, id = 'default/web-1'): Promise<string | status> => {
  const clock = manualClock()
  const admitted = admit(node(id), who, { model, clock, signal: new AbortController().signal })
  clock.advance(5000)
  const result = await admitted
  assert.equal(clock.pending, 0)
  return 'code' in result ? result.code : result.id
}

test('the certificate must say what the workload is', async () => {
  assert.equal(await verdict(caller({ spiffeId: web })), 'default/web-1')
  assert.equal(await verdict(caller({ spiffeId: `${web}-2` })), status.PERMISSION_DENIED)
  assert.equal(await verdict(caller()), status.UNAUTHENTICATED)
  assert.equal(await verdict(caller({ spiffeId: web }), 'default/web-9'), status.PERMISSION_DENIED)
})

test('the local socket vouches for any workload, but not for one that is not there', async () => {
  assert.equal(await verdict(caller({ local: true })), 'default/web-1')
  assert.equal(await verdict(caller({ local: true }), 'default/web-9'), status.PERMISSION_DENIED)
})

test('a client that goes while it waits leaves nothing behind', async () => {
  const clock = manualClock()
  const leaving = new AbortController()
  const waiting = admit(node('default/late'), caller({ spiffeId: web }), { model, clock, signal: leaving.signal })
  assert.equal(clock.pending, 1)
  leaving.abort()
  assert.ok('code' in (await waiting))
  assert.equal(clock.pending, 0)
})
