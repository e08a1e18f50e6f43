import assert from 'node:assert/strict'
import { test } from 'node:test'
import { link } from '../link/link.ts'
import { snapshotFromYaml } from '../link/testing/snapshot-from-yaml.ts'
import { statusOf } from './status.ts'

const text = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: ours }
spec: { controllerName: weft.dev/gateway }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: { name: theirs }
spec: { controllerName: example.com/gateway }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: ours
  listeners:
    - { name: http, port: 80, protocol: HTTP }
    - { name: odd, port: 81, protocol: SMTP }
    - { name: cats, port: 82, protocol: HTTP, allowedRoutes: { kinds: [{ kind: Cat }, { kind: HTTPRoute }] } }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: odd }
spec: { gatewayClassName: weft, listeners: [{ name: odd, port: 81, protocol: SMTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: foreign }
spec: { gatewayClassName: theirs, listeners: [{ name: http, port: 80, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: web }
spec:
  parentRefs: [{ name: edge }, { name: foreign }, { name: edge, port: 8080 }]
  rules: [{ filters: [{ type: RequestRedirect, requestRedirect: { scheme: https } }] }]
`
const instance = (name: string, status: string): string => `
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: ${name}, annotations: { weft.dev/instance: a } }
spec: { service: edge, gateway: { name: edge, address: 127.80.0.1 } }
status: ${status}
`

interface Shown {
  readonly addresses: unknown
  readonly conditions: readonly Condition[]
  readonly listeners: readonly { conditions: readonly Condition[]; supportedKinds: unknown; attachedRoutes: number }[]
}
interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
}
const short = (conditions: readonly Condition[]): readonly string[] =>
  conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`)

function statusIn(yaml: string, key: string, acknowledges = false): Shown {
  const snapshot = snapshotFromYaml(yaml)
  const { value: model, problems } = link(snapshot, { trustDomain: 'weft.local' })
  const entry = snapshot.entries.get(key)
  assert.ok(entry)
  return statusOf(entry, { snapshot, problems, model, acknowledged: () => (acknowledges ? model : undefined) }) as Shown
}

test('a GatewayClass is ours by its controller, whatever its name', () => {
  assert.deepEqual(short(statusIn(text, 'GatewayClass//ours').conditions), ['Accepted=True Accepted'])
  assert.equal(statusIn(text, 'GatewayClass//theirs'), undefined)
})

test('listeners each for themselves; with a good one the Gateway is accepted', () => {
  const { conditions, listeners } = statusIn(text, 'Gateway/default/edge')
  assert.deepEqual(short(conditions), ['Accepted=True ListenersNotValid', 'Programmed=False Pending'])
  assert.match(conditions[1]?.message ?? '', /weft gateway --name edge --namespace default/)
  const httpRoute = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute' }
  assert.deepEqual(
    listeners.map(({ conditions: own, supportedKinds, attachedRoutes }) => [
      short(own),
      supportedKinds,
      attachedRoutes,
    ]),
    [
      [
        [
          'Accepted=True Accepted',
          'Programmed=False Pending',
          'ResolvedRefs=True ResolvedRefs',
          'Conflicted=False NoConflicts',
        ],
        [httpRoute, { ...httpRoute, kind: 'GRPCRoute' }],
        1,
      ],
      [
        [
          'Accepted=False UnsupportedProtocol',
          'Programmed=False Invalid',
          'ResolvedRefs=True ResolvedRefs',
          'Conflicted=False NoConflicts',
        ],
        [],
        0,
      ],
      [
        [
          'Accepted=True Accepted',
          'Programmed=False Pending',
          'ResolvedRefs=False InvalidRouteKinds',
          'Conflicted=False NoConflicts',
        ],
        [httpRoute],
        1,
      ],
    ],
  )
})

test('without a good listener it is not accepted', () => {
  const { conditions } = statusIn(text, 'Gateway/default/odd')
  assert.deepEqual(short(conditions), ['Accepted=False ListenersNotValid', 'Programmed=False Invalid'])
})

test('of a Gateway that somebody else serves nothing is said, nor of a route there', () => {
  assert.equal(statusIn(text, 'Gateway/default/foreign'), undefined)
  const { parents } = statusIn(text, 'HTTPRoute/default/web') as unknown as {
    parents: readonly { parentRef: unknown; conditions: readonly Condition[] }[]
  }
  const gateway = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'edge' }
  assert.deepEqual(
    parents.map(({ parentRef, conditions }) => [parentRef, short(conditions)]),
    [
      [gateway, ['Accepted=True Accepted', 'ResolvedRefs=True ResolvedRefs']],
      [{ ...gateway, port: 8080 }, ['Accepted=False NoMatchingParent', 'ResolvedRefs=True ResolvedRefs']],
    ],
  )
})

test('programmed once a ready instance has acknowledged what is written now', () => {
  const key = 'Gateway/default/edge'
  const starting = statusIn(text + instance('a', '{ ready: false }'), key, true)
  assert.deepEqual([short(starting.conditions)[1], starting.addresses], ['Programmed=False Pending', []])
  const ready = text + instance('a', '{ ready: true }')
  const addresses = [{ type: 'IPAddress', value: '127.80.0.1' }]
  const behind = statusIn(ready, key)
  assert.deepEqual([short(behind.conditions)[1], behind.addresses], ['Programmed=False Pending', addresses])
  const { conditions, listeners } = statusIn(ready, key, true)
  assert.equal(short(conditions)[1], 'Programmed=True Programmed')
  assert.equal(short(listeners[0]?.conditions ?? [])[1], 'Programmed=True Programmed')
})
