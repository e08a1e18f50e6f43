import assert from 'node:assert/strict'
import { test } from 'node:test'
import { systemClock } from '../../base/clock.ts'
import { silentLog } from '../../base/log.ts'
import { settable } from '../../base/watchable.ts'
import type { FileSource } from '../collect/file-source.ts'
import { memoryStore } from '../collect/memory-store.ts'
import { parseDocuments, type SourcedDocument } from '../collect/yaml.ts'
import { decodeDocument } from '../decode/decode.ts'
import type { Document } from '../decode/resource.ts'
import { createInventory, type Inventory } from './inventory.ts'
import { resourcesOf } from './snapshot.ts'

const service = (name: string, port = 80): Document => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default' },
  spec: { ports: [{ port }] },
})
const workload = (name: string, port: number): Document => ({
  apiVersion: 'weft.dev/v1alpha1',
  kind: 'Workload',
  metadata: { name, namespace: 'default', annotations: { 'weft.dev/instance': name } },
  spec: {
    service: 'web',
    ports: [{ name: 'http', servicePort: 8080, targetPort: port, inbound: { address: '127.0.0.1', port: port + 1 } }],
  },
})
function files(
  text: string,
): FileSource & { readonly documents: ReturnType<typeof settable<readonly SourcedDocument[]>> } {
  return { documents: settable(parseDocuments(text, 'x.yaml').documents), problems: settable([]), close() {} }
}
const next = (inventory: Inventory): Promise<void> =>
  new Promise((resolve) => {
    const stop = inventory.current.watch(() => {
      stop()
      resolve()
    })
  })
const names = (inventory: Inventory): readonly string[] =>
  resourcesOf(inventory.current.value, 'Service').map((one) => one.metadata.name)

test('store and files together; the stored one of two stays, and the other is named with its line', async () => {
  const store = memoryStore({ clock: systemClock })
  await store.write([{ put: service('web') }])
  const source = files(
    'apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec: {ports: [{port: 1}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: other}\nspec: {ports: [{port: 1}]}\n',
  )
  const inventory = await createInventory({ store, files: source, log: silentLog })
  assert.deepEqual(names(inventory), ['other', 'web'])
  const [problem] = inventory.problems.value
  assert.equal(problem?.resource, 'Service default/web')
  assert.deepEqual(problem?.place, { file: 'x.yaml', line: 4 })
  assert.equal(resourcesOf(inventory.current.value, 'Service')[1]?.spec.ports[0]?.port, 80)
  inventory.close()
})

test('a burst of writes is one new snapshot; an undecodable document is a problem and takes nothing with it', async () => {
  const store = memoryStore({ clock: systemClock })
  const inventory = await createInventory({ store, log: silentLog })
  let count = 0
  inventory.current.watch(() => count++)
  const changed = next(inventory)
  await store.write([{ put: service('a') }, { put: service('b') }, { put: { ...service('c'), spec: { ports: [] } } }])
  await changed
  assert.equal(count, 1)
  assert.deepEqual(names(inventory), ['a', 'b'])
  assert.equal(inventory.problems.value[0]?.resource, 'Service default/c')
  inventory.close()
})

test('a Service is inferred from registrations until somebody writes one, and goes with the last of them', async () => {
  const store = memoryStore({ clock: systemClock })
  await store.write([{ put: workload('web-1', 4000) }, { put: workload('web-2', 5000) }])
  const inventory = await createInventory({ store, log: silentLog })
  const [inferred] = resourcesOf(inventory.current.value, 'Service')
  assert.deepEqual(inferred?.spec.ports, [
    { name: 'http', port: 80, targetPort: 'http', protocol: 'http' },
    { name: 'http-8080', port: 8080, targetPort: 8080, protocol: 'http' },
  ])
  assert.equal(inferred?.metadata.annotations['weft.dev/inferred'], 'true')
  let changed = next(inventory)
  await store.write([{ put: service('web', 99) }])
  await changed
  assert.equal(resourcesOf(inventory.current.value, 'Service')[0]?.spec.ports[0]?.port, 99)
  changed = next(inventory)
  await store.write([
    { delete: { kind: 'Service', namespace: 'default', name: 'web' } },
    { delete: { kind: 'Workload', namespace: 'default', name: 'web-1' } },
    { delete: { kind: 'Workload', namespace: 'default', name: 'web-2' } },
  ])
  await changed
  assert.deepEqual(names(inventory), [])
  inventory.close()
})

test('health changes make a snapshot, equal ones do not; hypothetical changes leave no trace', async () => {
  const inventory = await createInventory({ store: memoryStore({ clock: systemClock }), log: silentLog })
  const changed = next(inventory)
  inventory.health.set('default/web-1', 'ready')
  await changed
  assert.equal(inventory.current.value.health.get('default/web-1'), 'ready')
  const decoded = decodeDocument(service('maybe'))
  assert.ok('resource' in decoded)
  assert.equal(resourcesOf(inventory.with({ put: [decoded.resource] }).snapshot, 'Service').length, 1)
  assert.deepEqual(names(inventory), [])
  inventory.close()
})

test('labels and annotations that a Gateway wishes are on the Workloads of its instances, whose own go before', async () => {
  const gateway = (infrastructure: object): Document => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'edge', namespace: 'default' },
    spec: { gatewayClassName: 'weft', infrastructure, listeners: [{ name: 'http', port: 80, protocol: 'HTTP' }] },
  })
  const instance: Document = {
    apiVersion: 'weft.dev/v1alpha1',
    kind: 'Workload',
    metadata: { name: 'edge-1', namespace: 'default', labels: { own: 'a' } },
    spec: { service: 'edge', gateway: { name: 'edge', address: '127.80.0.1' } },
  }
  const store = memoryStore({ clock: systemClock })
  const wish = { labels: { team: 'shop', own: 'b' }, annotations: { note: 'x' } }
  await store.write([{ put: gateway(wish) }, { put: instance }, { put: workload('web-1', 8081) }])
  const inventory = await createInventory({ store, log: silentLog })
  const entryOf = (name: string) => inventory.current.value.entries.get(`Workload/default/${name}`)
  const { resource, document } = entryOf('edge-1') ?? {}
  assert.deepEqual(resource?.metadata.labels, { team: 'shop', own: 'a' })
  assert.deepEqual(resource?.metadata.annotations, { note: 'x' })
  assert.deepEqual(document?.metadata.labels, resource?.metadata.labels, 'people see them too')
  assert.deepEqual(entryOf('web-1')?.resource.metadata.labels, {})
  const changed = next(inventory)
  await store.write([{ put: gateway({}) }])
  await changed
  assert.deepEqual(entryOf('edge-1')?.resource.metadata.labels, { own: 'a' })
  inventory.close()
})
