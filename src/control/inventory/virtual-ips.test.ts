import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { memoryStore } from '../collect/memory-store.ts'
import { systemClock } from '../../base/clock.ts'
import { manualClock } from '../../base/testing/manual-clock.ts'
import { silentLog } from '../../base/log.ts'
import { decodeDocument } from '../decode/decode.ts'
import { createInventory } from './inventory.ts'
import { keepVirtualIps, virtualIpGraceMs } from './keep-virtual-ips.ts'
import { keyText } from '../decode/resource.ts'
import { keyOfResource, type Entry } from './entry.ts'
import { resourcesOf } from './snapshot.ts'
import { virtualIps } from './virtual-ips.ts'

const service = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port: 80 }] },
})
const virtualIp = (name: string, address: string, creationTimestamp = '2026-01-01T00:00:00Z'): object => ({
  apiVersion: 'weft.dev/v1alpha1',
  kind: 'VirtualIP',
  metadata: { name, namespace: 'default', creationTimestamp },
  spec: { address },
})

function entriesOf(...documents: object[]): ReadonlyMap<string, Entry> {
  return new Map(
    documents.map((value) => {
      const decoded = decodeDocument(value)
      assert.ok('resource' in decoded, 'problems' in decoded ? decoded.problems.map(formatProblem).join('\n') : '')
      const { resource } = decoded
      const { apiVersion, kind, metadata } = resource
      return [
        keyText(keyOfResource(resource)),
        { resource, document: { apiVersion, kind, metadata }, owner: { kind: 'store' } },
      ] as const
    }),
  )
}

test('an address follows from the name alone, and lies where no network is', () => {
  const alone = virtualIps(entriesOf(service('web'))).addresses
  const among = virtualIps(entriesOf(service('a'), service('web'), service('z'))).addresses
  assert.match(alone.get('default/web') ?? '', /^24[0-7]\.\d+\.\d+\.\d+$/)
  assert.equal(among.get('default/web'), alone.get('default/web'))
  assert.equal(new Set(among.values()).size, 3)
})

test('what is written down stays, whoever else would like it', () => {
  const wanted = virtualIps(entriesOf(service('web'))).addresses.get('default/web') ?? ''
  const { addresses, problems } = virtualIps(entriesOf(service('web'), service('old'), virtualIp('old', wanted)))
  assert.equal(addresses.get('default/old'), wanted)
  assert.notEqual(addresses.get('default/web'), wanted)
  assert.deepEqual(problems, [])
})

test('of two that claim one address the older has it, and the other hears of it', () => {
  const { addresses, problems } = virtualIps(
    entriesOf(
      service('a'),
      service('b'),
      virtualIp('a', '240.0.0.9', '2026-01-02T00:00:00Z'),
      virtualIp('b', '240.0.0.9'),
    ),
  )
  assert.equal(addresses.get('default/b'), '240.0.0.9')
  assert.notEqual(addresses.get('default/a'), '240.0.0.9')
  assert.deepEqual(problems.map(formatProblem), [
    'VirtualIP default/a: spec.address: 240.0.0.9 belongs to default/b already; this Service gets another one',
  ])
})

test('addresses are written to the store once, and found again after a restart', async (t) => {
  const store = memoryStore({ clock: systemClock })
  t.after(() => store.close())
  const start = async (): Promise<{ addresses: ReadonlyMap<string, string>; stop: () => void }> => {
    const inventory = await createInventory({ store, log: silentLog })
    const keeping = keepVirtualIps({ store, current: inventory.current, clock: systemClock, log: silentLog })
    await keeping.settled()
    return {
      addresses: inventory.current.value.virtualIps,
      stop() {
        keeping.close()
        inventory.close()
      },
    }
  }
  await store.write([{ put: service('web') as never }])
  const first = await start()
  const stored = await store.list({ kind: 'VirtualIP' })
  assert.equal(stored.items.length, 1)
  assert.deepEqual(stored.items[0]?.spec, { address: first.addresses.get('default/web') })
  first.stop()
  // The Service goes and comes back: its address is still its own.
  await store.write([{ delete: { kind: 'Service', namespace: 'default', name: 'web' } }])
  await store.write([{ put: service('web') as never }])
  const second = await start()
  assert.equal(second.addresses.get('default/web'), first.addresses.get('default/web'))
  assert.equal((await store.list({ kind: 'VirtualIP' })).items.length, 1)
  second.stop()
})

/** Addresses that are kept in a store of their own, over manual time; `turns`: until the inventory has followed the store. */
async function createKeeping(t: TestContext) {
  const clock = manualClock()
  const store = memoryStore({ clock: systemClock })
  const inventory = await createInventory({ store, log: silentLog })
  const keeping = keepVirtualIps({ store, current: inventory.current, clock, log: silentLog })
  t.after(async () => {
    keeping.close()
    inventory.close()
    await store.close()
  })
  const turns = async (): Promise<void> => {
    for (const until of [() => keeping.settled(), () => undefined]) {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      await until()
    }
  }
  const hours = async (count: number): Promise<void> => {
    for (let hour = 0; hour < count; hour++) {
      clock.advance(virtualIpGraceMs / 24)
      await turns()
    }
  }
  return { store, inventory, turns, hours }
}

test('an address goes a day after its service, unless that comes back or somebody wrote it', async (t) => {
  const { store, turns, hours } = await createKeeping(t)
  const kept = async (): Promise<readonly string[]> =>
    (await store.list({ kind: 'VirtualIP' })).items.map(({ metadata }) => metadata.name)
  const names = ['back', 'gone', 'headless', 'here'] as const
  await store.write([
    ...names.map((name) => ({ put: service(name) as never })),
    { put: virtualIp('mine', '240.1.1.1') as never },
  ])
  await turns()
  assert.deepEqual(await kept(), [...names, 'mine'])
  const key = (name: string) => ({ kind: 'Service', namespace: 'default', name }) as const
  await store.write([
    ...['back', 'gone'].map((name) => ({ delete: key(name) })),
    { put: { ...service('headless'), spec: { clusterIP: 'None', ports: [{ port: 80 }] } } as never },
  ])
  await turns()
  await hours(23)
  assert.deepEqual(await kept(), [...names, 'mine'])
  await store.write([{ put: service('back') as never }])
  await turns()
  await hours(2)
  assert.deepEqual(await kept(), ['back', 'here', 'mine'])
})

test('an inferred Service is remembered with its ports as long as its address, a written one not', async (t) => {
  const { store, inventory, turns, hours } = await createKeeping(t)
  const workload = (servicePort: number): never =>
    ({
      apiVersion: 'weft.dev/v1alpha1',
      kind: 'Workload',
      metadata: { name: 'web-1', namespace: 'default', annotations: { 'weft.dev/instance': 'web-1' } },
      spec: {
        service: 'web',
        address: '127.0.0.1',
        ports: [{ name: 'x', servicePort, targetPort: 4000, protocol: 'grpc' }],
      },
    }) as never
  const services = (): readonly unknown[] =>
    resourcesOf(inventory.current.value, 'Service').map(({ metadata, spec }) => [
      metadata.name,
      metadata.annotations['weft.dev/inferred'],
      spec.ports.map(({ port, protocol, targetPort }) => [port, protocol, targetPort]),
    ])
  const gone = { delete: { kind: 'Workload', namespace: 'default', name: 'web-1' } } as const

  await store.write([{ put: workload(50051) }])
  await turns()
  const address = inventory.current.value.virtualIps.get('default/web')
  assert.deepEqual(services(), [['web', 'true', [[50051, 'grpc', 50051]]]])
  // Other ports by now: these are what is remembered.
  await store.write([{ put: workload(50052) }])
  await turns()
  await store.write([gone])
  await turns()
  assert.deepEqual(services(), [['web', 'remembered', [[50052, 'grpc', 50052]]]])
  assert.equal(inventory.current.value.virtualIps.get('default/web'), address)

  // It comes back, and then somebody writes it: what they delete is deleted.
  await store.write([{ put: workload(50052) }])
  await turns()
  assert.deepEqual(services(), [['web', 'true', [[50052, 'grpc', 50052]]]])
  await store.write([gone, { put: service('web') as never }])
  await turns()
  assert.deepEqual(services(), [['web', undefined, [[80, 'http', 80]]]])
  await store.write([{ delete: { kind: 'Service', namespace: 'default', name: 'web' } }])
  await turns()
  assert.deepEqual(services(), [])

  await store.write([{ put: workload(80) }])
  await turns()
  await store.write([gone])
  await turns()
  assert.equal(services().length, 1)
  await hours(26)
  assert.deepEqual(services(), [])
  assert.deepEqual((await store.list({ kind: 'VirtualIP' })).items, [])
})
