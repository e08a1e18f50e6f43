import { create, fromBinary } from '@bufbuild/protobuf'
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '../../base/log.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import type { AdsReceiver } from '../../xds/ads-client.ts'
import { DeltaDiscoveryResponseSchema } from '../../xds/gen/envoy/service/discovery/v3/discovery_pb.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import { createConfigRelay, type ConfigRelay, type RelayedWorker } from './config-relay.ts'

/** A control plane of words: what it is asked for, and what becomes of what it says. */
function world() {
  const asked = new Map<XdsType, readonly string[]>()
  let receiver: AdsReceiver | undefined
  const clock = manualClock()
  const relay = createConfigRelay(
    (to) => {
      receiver = to
      return {
        subscribe: (type, names) => void asked.set(type, [...names].toSorted()),
        renew() {},
        close() {},
        state: () => ({ connected: true, reason: undefined, refused: [] }),
      }
    },
    { clock, log: silentLog },
  )
  const say = (
    type: XdsType,
    resources: Record<string, string>,
    removed: string[] = [],
  ): Promise<readonly string[]> => {
    const response = create(DeltaDiscoveryResponseSchema, {
      systemVersionInfo: '7',
      resources: Object.entries(resources).map(([name, version]) => ({ name, version, resource: { typeUrl: type } })),
      removedResources: removed,
    })
    return receiver?.receive(type, response).inForce ?? Promise.resolve(['nobody receives'])
  }
  return { relay, clock, asked, say, versions: (type: XdsType) => receiver?.versions(type) }
}

interface Fake {
  readonly link: RelayedWorker
  /** "CDS a=1 b=2 -c" for each response, oldest first. */
  readonly heard: string[]
  want(type: XdsType, ...names: string[]): void
}

/** Accepts everything, or refuses one resource by its name; `silent`: says nothing of what it hears. */
function fakeWorker(relay: ConfigRelay, how: { refuses?: string; silent?: boolean } = {}): Fake {
  const heard: string[] = []
  const link = relay.join(({ id, type, response: bytes }) => {
    const response = fromBinary(DeltaDiscoveryResponseSchema, Buffer.from(bytes, 'base64'))
    const names = response.resources.map(({ name }) => name)
    heard.push(
      [
        type,
        ...response.resources.map(({ name, version }) => `${name}=${version}`),
        ...response.removedResources.map((name) => `-${name}`),
      ].join(' '),
    )
    const refused = names.filter((name) => name === how.refuses)
    const problems = refused.map((name) => `${name}: lb_policy: is not supported`)
    if (how.silent !== true) queueMicrotask(() => link.hear({ kind: 'received', id, problems, refused }))
  })
  return { link, heard, want: (type, ...names) => link.hear({ kind: 'subscribe', type, names }) }
}

test('the control plane is asked once for what all want; each worker hears what it wants, and all accept before the ACK', async () => {
  const { relay, asked, say } = world()
  const [a, b] = [fakeWorker(relay), fakeWorker(relay)]
  a.want('CDS', 'web', 'api')
  b.want('CDS', 'web')
  assert.deepEqual(asked.get('CDS'), ['api', 'web'])
  assert.deepEqual(await say('CDS', { web: '1', api: '1' }), [])
  assert.deepEqual([a.heard, b.heard], [['CDS web=1 api=1'], ['CDS web=1']])
  a.want('CDS')
  assert.deepEqual(asked.get('CDS'), ['web'], 'nobody wants the other one any more')
})

test('one that refuses makes a NACK by name, and the last good stays for those to come', async () => {
  const { relay, say, versions } = world()
  const [a, b] = [fakeWorker(relay), fakeWorker(relay, { refuses: 'bad' })]
  for (const one of [a, b]) one.want('CDS', '*')
  b.want('LDS', '*')
  assert.deepEqual(await say('CDS', { good: '1' }), [])
  assert.deepEqual(await say('CDS', { good: '2', bad: '1' }), ['bad: lb_policy: is not supported'])
  assert.deepEqual(versions('CDS'), { good: '2' })
  const late = fakeWorker(relay)
  late.want('CDS', '*')
  assert.deepEqual(late.heard, ['CDS good=2'])
})

test('who begins later gets what is known at once: also that there is nothing', async () => {
  const { relay, say } = world()
  const first = fakeWorker(relay)
  first.want('NDS', '*')
  first.want('RDS', 'web', 'ghost')
  await say('NDS', {})
  await say('RDS', { web: '1' }, ['ghost'])
  const late = fakeWorker(relay)
  late.want('NDS', '*')
  late.want('RDS', 'web')
  late.want('RDS', 'web', 'ghost')
  late.want('RDS', 'web', 'ghost', 'unknown')
  assert.deepEqual(late.heard, ['NDS', 'RDS web=1', 'RDS -ghost'])
})

test('a worker that ends has no voice, and what it wanted is kept for the next one for a while', async () => {
  const { relay, clock, asked, say } = world()
  const [a, mute] = [fakeWorker(relay), fakeWorker(relay, { silent: true })]
  a.want('EDS', 'web')
  mute.want('EDS', 'web', 'api')
  const answer = say('EDS', { web: '1', api: '1' })
  let answered = false
  void answer.then(() => (answered = true))
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answered, false)
  mute.link.left()
  assert.deepEqual(await answer, [])
  const next = fakeWorker(relay)
  next.want('EDS', 'api')
  assert.deepEqual(next.heard, ['EDS api=1'], 'the control plane was not asked for it')
  next.want('EDS')
  clock.advance(30_000)
  assert.deepEqual(asked.get('EDS'), ['web'])
  relay.close()
  assert.equal(clock.pending, 0)
})
