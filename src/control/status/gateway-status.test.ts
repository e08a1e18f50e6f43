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

const sets = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: edge }
spec:
  gatewayClassName: weft
  allowedListeners: { namespaces: { from: Same } }
  listeners: [{ name: http, port: 80, protocol: HTTP, hostname: web.example }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: part }
spec:
  parentRef: { name: edge }
  listeners: [{ name: good, port: 81, protocol: HTTP }, { name: taken, port: 80, protocol: HTTP, hostname: web.example }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: bad }
spec: { parentRef: { name: edge }, listeners: [{ name: taken, port: 80, protocol: TCP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: stranger, namespace: shop }
spec: { parentRef: { name: edge, namespace: default }, listeners: [{ name: http, port: 82, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: { name: orphan }
spec: { parentRef: { name: nobody }, listeners: [{ name: http, port: 82, protocol: HTTP }] }
`

test('a ListenerSet is accepted with one good listener, and tells of the others; the Gateway counts those that are', () => {
  const served = sets + instance('edge-1', '{ ready: true }')
  const part = statusIn(served, 'ListenerSet/default/part', true)
  assert.deepEqual(short(part.conditions), ['Accepted=True ListenersNotValid', 'Programmed=True Programmed'])
  assert.deepEqual(
    part.listeners.map(({ conditions }) => short(conditions)),
    [
      [
        'Accepted=True Accepted',
        'Programmed=True Programmed',
        'ResolvedRefs=True ResolvedRefs',
        'Conflicted=False NoConflicts',
      ],
      [
        'Accepted=False HostnameConflict',
        'Programmed=False HostnameConflict',
        'ResolvedRefs=True ResolvedRefs',
        'Conflicted=True HostnameConflict',
      ],
    ],
  )
  const refused = (name: string): readonly string[] => short(statusIn(served, `ListenerSet/${name}`, true).conditions)
  assert.deepEqual(refused('default/bad'), ['Accepted=False ListenersNotValid', 'Programmed=False ListenersNotValid'])
  assert.deepEqual(refused('shop/stranger'), ['Accepted=False NotAllowed', 'Programmed=False NotAllowed'])
  assert.deepEqual(refused('default/orphan'), [
    'Accepted=False ParentNotAccepted',
    'Programmed=False ParentNotAccepted',
  ])
  const gateway = statusIn(served, 'Gateway/default/edge', true) as Shown & { attachedListenerSets: number }
  assert.equal(gateway.attachedListenerSets, 1)
  assert.equal(gateway.listeners.length, 1)
})

test('a ListenerSet that nobody serves yet is accepted and pending; one of a Gateway that cannot be served is not accepted', () => {
  assert.deepEqual(short(statusIn(sets, 'ListenerSet/default/part').conditions), [
    'Accepted=True ListenersNotValid',
    'Programmed=False Pending',
  ])
  const broken = sets.replace('allowedListeners', 'addresses: [{ value: nowhere }]\n  allowedListeners')
  assert.deepEqual(short(statusIn(broken, 'ListenerSet/default/part').conditions), [
    'Accepted=False ParentNotAccepted',
    'Programmed=False ParentNotAccepted',
  ])
})
