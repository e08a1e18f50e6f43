import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock, type ManualClock } from '../../base/testing/manual-clock.ts'
import type { Clock } from '../../base/clock.ts'
import type { Document } from '../decode/resource.ts'
import type { Change, Store, StoreEvent } from './store.ts'

/** What every store must do, whatever it is made of. `open` gives an empty one. */
export function storeSuite(open: (clock: Clock) => Store): void {
  const run = (name: string, body: (store: Store, clock: ManualClock) => Promise<void>): void => {
    test(name, async () => {
      const clock = manualClock(1_000)
      const store = open(clock)
      try {
        await body(store, clock)
      } finally {
        await store.close()
      }
    })
  }

  run('an empty store has nothing, at revision 0', async (store) => {
    assert.deepEqual(await store.list(), { items: [], revision: 0 })
    assert.equal(await store.get({ kind: 'Service', namespace: 'default', name: 'web' }), undefined)
  })

  run('a written document comes back with what the store sets', async (store, clock) => {
    const created = await store.write([{ put: service('web', 1) }])
    assert.deepEqual(created, { kind: 'done', revision: 1, outcomes: ['created'] })
    clock.advance(5_000)
    assert.deepEqual(await store.write([{ put: service('web', 2) }]), {
      kind: 'done',
      revision: 2,
      outcomes: ['configured'],
    })
    const found = await store.get(key('web'))
    assert.deepEqual(found?.metadata, {
      name: 'web',
      namespace: 'default',
      labels: {},
      annotations: {},
      resourceVersion: '2',
      generation: 2,
      creationTimestamp: new Date(1_000).toISOString(),
    })
    assert.deepEqual(found?.spec, { ports: [{ port: 2 }] })
  })

  run('a generation counts changes of the spec, whatever the writer thinks that it is', async (store) => {
    const generation = async (put: Document): Promise<number | undefined> => {
      await store.write([{ put }])
      return (await store.get(key('web')))?.metadata.generation
    }
    const web = service('web', 1)
    assert.equal(await generation({ ...web, metadata: { ...web.metadata, generation: 70 } }), 1)
    assert.equal(await generation({ ...web, metadata: { ...web.metadata, labels: { a: 'b' } } }), 1)
    assert.equal(await generation(service('web', 2)), 2)
    assert.equal(await generation(service('web', 2)), 2)
    assert.equal(await generation(service('web', 1)), 3)
  })

  run('an equal document is no change, in whatever order its fields stand', async (store) => {
    await store.write([
      {
        put: {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 'web', namespace: 'default' },
          spec: { a: 1, b: 2 },
        },
      },
    ])
    const events = await heard(store, 0)
    const again = await store.get(key('web'))
    const shuffled: Document = {
      kind: 'Service',
      apiVersion: 'v1',
      spec: { b: 2, a: 1 },
      metadata: { namespace: 'default', name: 'web' },
    }
    const result = await store.write([{ put: shuffled }, { put: again! }])
    assert.deepEqual(result, { kind: 'done', revision: 1, outcomes: ['unchanged', 'unchanged'] })
    await settled()
    assert.deepEqual(events.revisions, [1])
  })

  run('compare and swap', async (store) => {
    assert.equal((await store.write([{ put: service('web', 1), expected: '' }])).kind, 'done')
    assert.deepEqual(await store.write([{ put: service('web', 2), expected: '' }]), {
      kind: 'conflict',
      key: key('web'),
      expected: '',
      actual: '1',
    })
    assert.deepEqual(await store.write([{ put: service('web', 2), expected: '7' }]), {
      kind: 'conflict',
      key: key('web'),
      expected: '7',
      actual: '1',
    })
    assert.deepEqual(await store.write([{ delete: key('none'), expected: '1' }]), {
      kind: 'conflict',
      key: key('none'),
      expected: '1',
      actual: undefined,
    })
    assert.equal((await store.write([{ put: service('web', 2), expected: '1' }])).kind, 'done')
    assert.deepEqual(await store.write([{ delete: key('web'), expected: '2' }]), {
      kind: 'done',
      revision: 3,
      outcomes: ['deleted'],
    })
    assert.equal(await store.get(key('web')), undefined)
  })

  run('of several changes all happen or none', async (store) => {
    await store.write([{ put: service('a', 1) }])
    const refused = await store.write([
      { put: service('b', 1) },
      { delete: key('a') },
      { put: service('c', 1), expected: '9' },
    ])
    assert.equal(refused.kind, 'conflict')
    assert.deepEqual(
      (await store.list()).items.map((one) => one.metadata.name),
      ['a'],
    )
    const done = await store.write([
      { put: service('b', 1) },
      { delete: key('a') },
      { delete: key('a') },
      { put: service('b', 2), expected: '2' },
    ])
    assert.deepEqual(done, { kind: 'done', revision: 4, outcomes: ['created', 'deleted', 'absent', 'configured'] })
  })

  run('a list is filtered, and sorted by namespace and name', async (store) => {
    await store.write([
      { put: service('b', 1) },
      { put: service('a', 1) },
      { put: service('z', 1, 'alpha') },
      { put: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'alpha' } } },
    ])
    const names = async (filter: Parameters<Store['list']>[0]): Promise<string[]> =>
      (await store.list(filter)).items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    assert.deepEqual(await names({}), ['/alpha', 'alpha/z', 'default/a', 'default/b'])
    assert.deepEqual(await names({ kind: 'Service', namespace: 'default' }), ['default/a', 'default/b'])
    assert.deepEqual(await names({ kind: 'Namespace' }), ['/alpha'])
  })

  run('a watch tells past and present, in order, once', async (store) => {
    await store.write([{ put: service('a', 1) }, { put: service('b', 1) }])
    await store.write([{ delete: key('a') }])
    const all = await heard(store, 0)
    const late = await heard(store, 2)
    await store.write([{ put: service('c', 1) }])
    await settled()
    assert.deepEqual(all.revisions, [1, 2, 3, 4])
    assert.deepEqual(late.revisions, [3, 4])
    assert.deepEqual(
      all.events.map((event) => `${event.kind} ${event.key.name}`),
      ['put a', 'put b', 'delete a', 'put c'],
    )
    late.stop()
    await store.write([{ put: service('d', 1) }])
    await settled()
    assert.deepEqual(late.revisions, [3, 4])
    assert.deepEqual(all.revisions, [1, 2, 3, 4, 5])
  })

  run('watches that begin while others write miss nothing', async (store) => {
    const listening: Awaited<ReturnType<typeof heard>>[] = []
    const writes = Array.from({ length: 60 }, async (_, index) => {
      await Promise.resolve()
      await store.write([{ put: service(`s${index % 7}`, index + 1) }])
      if (index % 10 !== 0) return
      const { items, revision } = await store.list()
      assert.equal(Math.max(...items.map(({ metadata }) => Number(metadata.resourceVersion))), revision)
      listening.push(await heard(store, revision))
    })
    await Promise.all(writes)
    await settled()
    assert.equal(listening.length, 6)
    for (const one of listening) assert.deepEqual(one.revisions, range(one.after + 1, 60))
  })

  run('a write in the ear of a watcher is heard too', async (store) => {
    const revisions: number[] = []
    await store.watch(0, (events) => {
      revisions.push(...events.map(({ revision }) => revision))
      if (revisions.length < 5) void store.write([{ put: service('echo', revisions.length + 10) }])
    })
    await store.write([{ put: service('echo', 1) }])
    await settled()
    assert.deepEqual(revisions, [1, 2, 3, 4, 5])
  })

  run('what is handed out or in may be changed by its owner without harm', async (store) => {
    const mine = service('web', 1) as { spec: { ports: { port: number }[] } } & Document
    await store.write([{ put: mine }])
    mine.spec.ports[0]!.port = 99
    assert.deepEqual((await store.get(key('web')))?.spec, { ports: [{ port: 1 }] })
  })

  run('old events are compacted, and a watch from there is told so', async (store) => {
    const block = (from: number): Change[] =>
      Array.from({ length: 4_000 }, (_, index) => ({ put: service(`s${index % 50}`, from + index) }))
    const follower = await heard(store, 0)
    for (let from = 1; from <= 12_001; from += 4_000) {
      await store.write(block(from))
      await settled()
    }
    assert.equal(follower.events.length, 16_000)
    const first = await store.watch(0, () => assert.fail('told'))
    assert.equal(first.kind, 'compacted')
    assert.ok(first.kind === 'compacted' && first.oldest >= 1_000 && first.oldest <= 6_000, JSON.stringify(first))
    const kept = await heard(store, 6_000)
    await settled()
    assert.deepEqual(kept.revisions, range(6_001, 16_000))
  })
}

/** A Service whose port makes it one of a kind. */
export const service = (name: string, port: number, namespace = 'default'): Document => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace },
  spec: { ports: [{ port }] },
})

const key = (name: string): { kind: string; namespace: string; name: string } => ({
  kind: 'Service',
  namespace: 'default',
  name,
})
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index)
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function heard(
  store: Store,
  after: number,
): Promise<{ after: number; events: StoreEvent[]; revisions: number[]; stop: () => void }> {
  const events: StoreEvent[] = []
  const result = await store.watch(after, (more) => void events.push(...more))
  assert.ok(result.kind === 'watching')
  return {
    after,
    events,
    get revisions() {
      return events.map(({ revision }) => revision)
    },
    stop: result.stop,
  }
}
