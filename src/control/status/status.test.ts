import assert from 'node:assert/strict'
import { test } from 'node:test'
import { snapshotFromYaml } from '../link/testing/snapshot-from-yaml.ts'
import { link } from '../link/link.ts'
import { statusOf } from './status.ts'

const text = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }, { name: admin, port: 81, targetPort: 9000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: pay, namespace: bank }
spec: { ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Namespace
metadata: { name: bank }
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: web-1, labels: { app: web }, annotations: { weft.dev/instance: a } }
spec:
  service: web
  ports:
    - { name: http, targetPort: 8080, inbound: { address: 127.0.0.1, port: 20001 } }
    - { name: admin, targetPort: 9000, inbound: { address: 127.0.0.1, port: 20002 } }
status: { ready: true }
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: web-2, labels: { app: web }, annotations: { weft.dev/instance: b } }
spec: { service: web, ports: [{ targetPort: 8080, inbound: { address: 127.0.0.1, port: 20003 } }] }
status: { draining: true }
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: web-3, labels: { app: web }, annotations: { weft.dev/instance: c } }
spec: { service: web, ports: [{ targetPort: 8080, inbound: { address: 127.0.0.1, port: 20004 } }] }
---
apiVersion: weft.dev/v1alpha1
kind: Workload
metadata: { name: old-1 }
spec: { service: old, address: 10.0.0.1, ports: [{ targetPort: 8080 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: good }
spec:
  parentRefs: [{ group: '', kind: Service, name: web, port: 80 }]
  rules: [{ matches: [{ path: { value: /good } }], backendRefs: [{ name: web, port: 80 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: bad }
spec:
  parentRefs:
    - { group: '', kind: Service, name: web }
    - { group: '', kind: Service, name: wbe }
    - { group: '', kind: Service, name: web, port: 8080 }
    - { group: '', kind: Service, name: pay, namespace: bank }
  rules:
    - matches: [{ path: { value: /bad } }]
      backendRefs: [{ name: nobody, port: 80 }, { name: vault, namespace: bank, port: 80 }]
    - matches: [{ path: { value: /empty } }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: abroad }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules: [{ matches: [{ path: { value: /abroad } }], backendRefs: [{ name: pay, namespace: bank, port: 80 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: copied }
spec:
  parentRefs: [{ group: '', kind: Service, name: web }]
  rules:
    - filters: [{ type: RequestMirror, requestMirror: { backendRef: { name: nobody, port: 80 } } }]
      backendRefs: [{ name: web, port: 80 }]
---
apiVersion: v1
kind: Service
metadata: { name: rpc }
spec: { ports: [{ name: grpc, port: 7070 }, { name: http, port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: calls }
spec:
  parentRefs: [{ group: '', kind: Service, name: rpc }, { group: '', kind: Service, name: rpc, port: 80 }]
  rules: [{ matches: [{ method: { service: shop.Orders } }], backendRefs: [{ name: rpc, port: 7070 }] }]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: late }
spec:
  parentRefs: [{ group: '', kind: Service, name: rpc, port: 7070 }]
  rules: [{ backendRefs: [{ name: rpc, port: 80 }] }]
---
apiVersion: weft.dev/v1alpha1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: typo }
spec: { selector: { matchLabels: { app: wbe } } }
---
apiVersion: weft.dev/v1alpha1
kind: AuthorizationPolicy
metadata: { name: nobody-yet, namespace: bank }
spec: {}
`

const snapshot = snapshotFromYaml(text)
const { value: model, problems } = link(snapshot, { trustDomain: 'weft.local' })
function status(key: string): unknown {
  const entry = snapshot.entries.get(key)
  assert.ok(entry, key)
  return statusOf(entry, { snapshot, problems, model, acknowledged: () => undefined })
}
const accepted = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' }

test('a Service: instances, not ports; one that nobody wrote', () => {
  assert.deepEqual(status('Service/default/web'), { endpoints: { ready: 1, total: 3 }, inferred: false })
  assert.deepEqual(status('Service/default/old'), { endpoints: { ready: 1, total: 1 }, inferred: true })
  assert.deepEqual(status('Service/bank/pay'), { endpoints: { ready: 0, total: 0 }, inferred: false })
})

test('a Workload: its state, and its identity when it has a sidecar', () => {
  const identity = 'spiffe://weft.local/ns/default/sa/web'
  assert.deepEqual(status('Workload/default/web-1'), { ready: true, state: 'ready', identity })
  assert.deepEqual(status('Workload/default/web-2'), { ready: false, state: 'draining', identity })
  assert.deepEqual(status('Workload/default/web-3'), { ready: false, state: 'not-ready', identity })
  assert.deepEqual(status('Workload/default/old-1'), { ready: true, state: 'ready' })
})

test('an HTTPRoute in order', () => {
  assert.deepEqual(status('HTTPRoute/default/good'), {
    parents: [
      {
        parentRef: { group: '', kind: 'Service', name: 'web', port: 80 },
        controllerName: 'weft.dev/gateway',
        conditions: [accepted, { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs', message: '' }],
      },
    ],
  })
})

test('an HTTPRoute with everything wrong: each parent for itself, backends for all', () => {
  const noService =
    'spec.parentRefs[1].name: there is no Service default/wbe, so the route has no effect there; did you mean "web"?'
  const noPort = 'spec.parentRefs[2].port: Service default/web has no HTTP port 8080; it has 80, 81'
  const share = 'its share of the requests is answered with 500'
  const noBackend = `spec.rules[0].backendRefs[0].name: there is no Service default/nobody; ${share}`
  const noGrant = `spec.rules[0].backendRefs[1].namespace: no ReferenceGrant in bank lets HTTPRoutes of default refer to Service bank/vault; ${share}; write one there, or move the route or the Service`
  const empty = 'spec.rules[1]: there are no backendRefs, so its requests are answered with 500'
  const resolved = {
    type: 'ResolvedRefs',
    status: 'False',
    reason: 'BackendNotFound',
    message: `${noBackend}. ${noGrant}`,
  }
  const refused = (reason: string, message: string): object => ({ type: 'Accepted', status: 'False', reason, message })
  const parent = (ref: object, condition: object): object => ({
    parentRef: { group: '', kind: 'Service', ...ref },
    controllerName: 'weft.dev/gateway',
    conditions: [condition, resolved],
  })
  assert.deepEqual(status('HTTPRoute/default/bad'), {
    parents: [
      parent({ name: 'web' }, accepted),
      parent({ name: 'wbe' }, refused('NoMatchingParent', noService)),
      parent({ name: 'web', port: 8080 }, refused('NoMatchingParent', noPort)),
      parent({ name: 'pay', namespace: 'bank' }, accepted),
    ],
    problems: [noBackend, noGrant, empty, noService, noPort],
  })
})

test('a GRPCRoute goes before an HTTPRoute of the same port', () => {
  const reasonsOf = (key: string): unknown =>
    (status(key) as { parents: { conditions: { reason: string }[] }[] }).parents.map((one) =>
      one.conditions.map(({ reason }) => reason),
    )
  assert.deepEqual(reasonsOf('GRPCRoute/default/calls'), [
    ['Accepted', 'ResolvedRefs'],
    ['NoMatchingParent', 'ResolvedRefs'],
  ])
  assert.deepEqual(reasonsOf('HTTPRoute/default/late'), [['Conflicted', 'ResolvedRefs']])
})

test('a mirror that is not there', () => {
  const { parents } = status('HTTPRoute/default/copied') as { parents: { conditions: { reason: string }[] }[] }
  assert.deepEqual(
    parents.map((one) => one.conditions.map((condition) => condition.reason)),
    [['Accepted', 'BackendNotFound']],
  )
})

test('a backend that nobody permitted', () => {
  const { parents } = status('HTTPRoute/default/abroad') as { parents: { conditions: { reason: string }[] }[] }
  assert.deepEqual(
    parents.map((one) => one.conditions.map((condition) => condition.reason)),
    [['Accepted', 'RefNotPermitted']],
  )
})

test('policies name whom they are for, or say that it is nobody', () => {
  assert.deepEqual(status('PeerAuthentication/default/default'), {
    workloads: ['default/old-1', 'default/web-1', 'default/web-2', 'default/web-3'],
  })
  const nobody = {
    type: 'Accepted',
    status: 'False',
    reason: 'TargetNotFound',
    message: 'it selects no workload, so it has no effect now',
  }
  assert.deepEqual(status('AuthorizationPolicy/bank/nobody-yet'), { workloads: [], conditions: [nobody] })
  assert.deepEqual(status('AuthorizationPolicy/default/typo'), {
    workloads: [],
    conditions: [nobody],
    problems: [
      'spec.selector.matchLabels: no workload has these labels, so it has no effect now; did you mean app=web?',
    ],
  })
})

test('nothing to say is no status', () => assert.equal(status('Namespace//bank'), undefined))
