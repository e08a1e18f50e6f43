import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatProblem } from '../../base/problem.ts'
import { memoryStore } from '../collect/memory-store.ts'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { decodeDocument } from '../decode/decode.ts'
import { createInventory } from './inventory.ts'
import { keepVirtualIps } from './keep-virtual-ips.ts'
import { keyText } from '../decode/resource.ts'
import { keyOfResource, type Entry } from './entry.ts'
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
    const keeping = keepVirtualIps({ store, current: inventory.current, log: silentLog })
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
