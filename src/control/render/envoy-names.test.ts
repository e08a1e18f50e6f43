import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NamedService } from '../../proxy/config.ts'
import { nameIndex } from '../../proxy/route/names.ts'
import { notEnforcedByEnvoy } from './envoy-limits.ts'
import { hostsOfServices } from './envoy-names.ts'
import { completeModel } from './testing/model-yaml.ts'

const ports = [{ port: 80 }, { port: 9000 }]
const model = completeModel({
  services: [
    { name: 'web', ports },
    { name: 'web', namespace: 'shop', ports },
    { name: 'shop', namespace: 'web', ports },
    { name: 'web', namespace: 'mesh', ports },
    // Instances of a headless service, one of which has the name of another namespace's service.
    { name: 'one.web', ports },
    { name: 'web.shop', ports },
    { name: 'one.web', namespace: 'shop', ports },
    { name: 'cdn', external: { hosts: ['*.cdn.example', 'api.example', 'web.shop'], resolution: 'none' }, ports },
  ],
  virtualIps: { 'default/web': '240.0.0.7', 'shop/web': '240.0.0.8' },
})

test('an Envoy finds by each name what our own proxies find, and no name stands twice', () => {
  const table = new Map<string, NamedService>(
    Array.from(model.services, ([key, { namespace, name, external }]) => {
      const virtualIp = model.virtualIps.get(key)
      return [
        key,
        {
          namespace,
          name,
          ports: ports.map(({ port }) => ({ port, protocol: 'http', name: '' })),
          ...(virtualIp && { virtualIp }),
          ...(external && { hosts: external.hosts }),
        } as NamedService,
      ]
    }),
  )
  const find = nameIndex(table)
  for (const own of ['default', 'shop', 'mesh']) {
    const seen = new Set<string>()
    for (const [{ namespace, name }, hosts] of hostsOfServices(model, own))
      for (const host of hosts) {
        assert.ok(!seen.has(host), `${host} stands twice`)
        seen.add(host)
        assert.equal(find(host.replace('*', 'any'), 80, own), `${namespace}/${name}/80`, `${host} asked in ${own}`)
      }
    for (const name of ['web', 'web.mesh', 'web.shop', 'shop.web', 'web.default.svc', 'any.cdn.example', '240.0.0.8'])
      assert.equal(find(name, 80, own) !== undefined, seen.has(name.replace(/^any/, '*')), `${name} asked in ${own}`)
  }
})

test('what an Envoy does not do is named once, with what asks for it', () => {
  const origin = { resource: 'TrafficPolicy default/web', field: 'spec.hedging', revision: '1' }
  const forward = { kind: 'forward' as const, backends: [{ service: 'default/web' }] }
  const hedged = { ...forward, hedging: { after: { ms: 50 }, maxAttempts: 2 }, settings: { hedging: origin } }
  const asking = completeModel({
    services: [
      {
        name: 'web',
        ports: [{ rules: [{ action: hedged }, { action: hedged }] }, { port: 81, rules: [{ action: forward }] }],
      },
      { name: 'late', ports: [{ rules: [{ action: { ...forward, retry: { codes: [503], backoffMs: 100 } } }] }] },
      {
        name: 'idle',
        ports: [
          { rules: [{ action: { ...forward, session: { kind: 'cookie', name: 'c', ttlMs: 0, idleMs: 60_000 } } }] },
        ],
      },
      { name: 'fast', ports: [{ loadBalancing: 'peak-ewma' }] },
      {
        name: 'told',
        ports: [{ loadBalancing: 'peak-ewma', traffic: { settings: { 'loadBalancing.algorithm': origin } } }],
      },
    ],
  })
  assert.deepEqual(
    notEnforcedByEnvoy(asking, 'default').map(({ what, resource, field }) => `${what}: ${resource} ${field}`),
    [
      'hedging: TrafficPolicy default/web spec.hedging',
      'a shortest wait before a retry: HTTPRoute default/web spec.rules[0]',
      'the end of sessions that nobody uses: HTTPRoute default/web spec.rules[0]',
      'balancing by latency (least requests instead): TrafficPolicy default/web spec.hedging',
    ],
  )
})
