import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse, stringify } from 'yaml'
import { golden } from '../../base/testing/golden.ts'
import type { XdsType } from '../../xds/type-urls.ts'
import type { Model } from '../model/model.ts'
import { createRenderer, type Proxy, type RenderedResource } from './render.ts'
import { completeModel, modelFromYaml, type LooseModel } from './testing/model-yaml.ts'
import { resourceJson } from './testing/resource-json.ts'

const trustBundlePem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

/** All resources of the types named in `show`, as the first workload gets them. */
golden(new URL('testdata/', import.meta.url), (text) => {
  const { show } = parse(text) as { show: readonly XdsType[] }
  const rendering = createRenderer().render(modelFromYaml(text), trustBundlePem)
  const proxy = firstProxy(rendering.model)
  const shown = show.map((type) => [
    type,
    rendering.wildcard(type, proxy).map((name) => {
      const resource = rendering.resource(type, name, proxy)
      assert.ok(resource, `${type} ${name} is covered by the wildcard but is not there`)
      return resourceJson(type, resource)
    }),
  ])
  return stringify(Object.fromEntries(shown), { lineWidth: 0, aliasDuplicateObjects: false })
})

const firstProxy = (model: Model, kind: Proxy['kind'] = 'foreign'): Proxy => {
  const [workload] = model.workloads.values()
  assert.ok(workload)
  return { workload, kind }
}

const shop: LooseModel = {
  services: [
    {
      name: 'web',
      ports: [
        {
          port: 80,
          rules: [{}],
          endpoints: [{ workload: 'default/web-1' }],
          identities: ['spiffe://weft.local/ns/default/sa/web'],
        },
      ],
    },
    {
      name: 'db',
      ports: [{ port: 5432, protocol: 'tcp', endpoints: [{ workload: 'default/db-1', health: 'draining' }] }],
    },
  ],
  workloads: [{ name: 'web-1', inbound: [{}], outbound: { host: '127.0.0.1', port: 15_001 } }],
}

test('our proxy holds its own listeners and clusters, a foreign one every service too', () => {
  const rendering = createRenderer().render(completeModel(shop), trustBundlePem)
  const ours = firstProxy(rendering.model, 'weft')
  const foreign = firstProxy(rendering.model, 'foreign')
  assert.deepEqual(rendering.wildcard('LDS', ours), ['inbound/http', 'outbound/explicit'])
  assert.deepEqual(rendering.wildcard('CDS', ours), ['inbound/8080', 'outbound/passthrough'])
  assert.deepEqual(rendering.wildcard('RDS', ours), [])
  assert.deepEqual(rendering.wildcard('EDS', ours), [])
  assert.deepEqual(rendering.wildcard('NDS', ours), ['default/db', 'default/web'])
  assert.deepEqual(rendering.wildcard('CDS', foreign), [
    'default/db/5432',
    'default/web/80',
    'inbound/8080',
    'outbound/passthrough',
  ])
  assert.deepEqual(rendering.wildcard('RDS', foreign), ['default/web/80'])
  assert.ok(rendering.resource('CDS', 'default/db/5432', ours), 'by name our proxy gets any service')
})

test('names that mean nothing, nearly mean something, or belong to another workload give nothing', () => {
  const rendering = createRenderer().render(completeModel(shop), trustBundlePem)
  const proxy = firstProxy(rendering.model, 'weft')
  const absent: readonly (readonly [XdsType, string])[] = [
    ['CDS', 'default/web/81'],
    ['CDS', 'default/web/080'],
    ['CDS', 'default/nothing/80'],
    ['CDS', 'inbound/9999'],
    ['CDS', '__proto__'],
    ['RDS', 'default/db/5432'],
    ['EDS', ''],
    ['LDS', 'inbound/other'],
    ['SDS', 'weft-own-certificate'],
    ['NDS', 'default'],
  ]
  for (const [type, name] of absent) assert.equal(rendering.resource(type, name, proxy), undefined, `${type} ${name}`)
})

test('a changed endpoint is encoded alone; all else is the same object, although the model was made anew', () => {
  const renderer = createRenderer()
  const all = (model: Model): ReadonlyMap<string, RenderedResource> => {
    const rendering = renderer.render(model, trustBundlePem)
    const proxy = firstProxy(model)
    const found = new Map<string, RenderedResource>()
    for (const type of ['LDS', 'RDS', 'CDS', 'EDS', 'SDS', 'NDS'] as const) {
      for (const name of rendering.wildcard(type, proxy)) {
        const resource = rendering.resource(type, name, proxy)
        if (resource !== undefined) found.set(`${type} ${name}`, resource)
      }
    }
    return found
  }
  const before = all(completeModel(shop))
  const encoded = renderer.encoded
  assert.equal(encoded, before.size)

  const [web, db] = shop.services ?? []
  assert.ok(web && db)
  const moved: LooseModel = {
    ...shop,
    revision: 2,
    services: [web, { ...db, ports: [{ port: 5432, protocol: 'tcp', endpoints: [{ workload: 'default/db-2' }] }] }],
  }
  const after = all(completeModel(moved))
  assert.equal(renderer.encoded, encoded + 1)
  assert.deepEqual(
    [...after].filter(([key, resource]) => before.get(key) !== resource).map(([key]) => key),
    ['EDS default/db/5432'],
  )
  assert.notEqual(after.get('EDS default/db/5432')?.version, before.get('EDS default/db/5432')?.version)
})

test('callers of a namespace with routes of its own get those, under the same name', () => {
  const model = completeModel({
    services: [{ name: 'web', ports: [{ rules: [{ name: 'for-all' }] }] }],
    workloads: [{ name: 'a' }, { name: 'b', namespace: 'shop' }],
  })
  const [web] = model.services.values()
  const [port] = web?.ports ?? []
  const [rule] = port?.rules ?? []
  assert.ok(web && port && rule)
  const consumerRules = new Map([['shop', [{ ...rule, name: 'for-the-shop' }]]])
  const routed: Model = {
    ...model,
    services: new Map([['default/web', { ...web, ports: [{ ...port, consumerRules }] }]]),
  }
  const rendering = createRenderer().render(routed, trustBundlePem)
  const routeOf = (name: string): string | undefined => {
    const workload = routed.workloads.get(name)
    assert.ok(workload)
    const resource = rendering.resource('RDS', 'default/web/80', { workload, kind: 'weft' })
    return resource && JSON.stringify(resourceJson('RDS', resource)).match(/for-[a-z-]+/)?.[0]
  }
  assert.equal(routeOf('default/a'), 'for-all')
  assert.equal(routeOf('shop/b'), 'for-the-shop')
})

test('where a policy goes by places, callers of one place share endpoints, and those of another have their own', () => {
  const place = (zone: string) => ({ region: 'eu', zone, subZone: '' })
  const endpoints = ['a', 'b'].map((zone, index) => ({
    locality: place(zone),
    address: { host: '127.0.0.1', port: index + 1 },
  }))
  const model = completeModel({
    services: [{ name: 'web', ports: [{ endpoints, traffic: { locality: { prefer: 'zone' } } }] }],
    workloads: [
      { name: 'in-a', locality: place('a') },
      { name: 'too', locality: place('a') },
      { name: 'in-b', locality: place('b') },
      { name: 'nowhere' },
    ],
  })
  const rendering = createRenderer().render(model, trustBundlePem)
  const of = (name: string): RenderedResource | undefined => {
    const workload = model.workloads.get(`default/${name}`)
    assert.ok(workload)
    return rendering.resource('EDS', 'default/web/80', { workload, kind: 'weft' })
  }
  const nearest = (name: string): unknown => {
    const resource = of(name)
    assert.ok(resource)
    // A ClusterLoadAssignment.
    const { endpoints: groups } = resourceJson('EDS', resource) as unknown as {
      readonly endpoints: readonly { readonly locality: { readonly zone: string }; readonly priority?: number }[]
    }
    return groups.filter(({ priority = 0 }) => priority === 0).map(({ locality }) => locality.zone)
  }
  assert.deepEqual(nearest('in-a'), ['a'])
  assert.deepEqual(nearest('in-b'), ['b'])
  assert.deepEqual(nearest('nowhere'), ['a', 'b'])
  assert.equal(of('in-a'), of('too'))
})

test('another process gives the same content the same version', () => {
  const version = (): string | undefined => {
    const rendering = createRenderer().render(completeModel(shop), trustBundlePem)
    return rendering.resource('LDS', 'inbound/http', firstProxy(rendering.model))?.version
  }
  assert.match(version() ?? '', /^[0-9a-f]{16}$/)
  assert.equal(version(), version())
})

test('a version of endpoints tells which workloads it offers: the healthy ones', () => {
  const rendering = createRenderer().render(completeModel(shop), trustBundlePem)
  const offers = (name: string): ReadonlySet<string> | undefined =>
    rendering.resource('EDS', name, firstProxy(rendering.model))?.offers
  assert.deepEqual(offers('default/web/80'), new Set(['default/web-1']))
  assert.deepEqual(offers('default/db/5432'), new Set())
})
