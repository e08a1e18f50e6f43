import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { link } from '../link/link.ts'
import { snapshotFromYaml } from '../link/testing/snapshot-from-yaml.ts'
import { statusOf } from './status.ts'

function statusIn(name: string): (key: string) => unknown {
  const text = fs.readFileSync(new URL(`../link/testdata/${name}.in.yaml`, import.meta.url), 'utf8')
  const snapshot = snapshotFromYaml(text)
  const { value: model, problems } = link(snapshot, { trustDomain: 'weft.local' })
  return (key) => {
    const entry = snapshot.entries.get(key)
    assert.ok(entry, key)
    return statusOf(entry, { snapshot, problems, model, acknowledged: () => undefined })
  }
}

test('a policy says for each target whether it holds there', () => {
  const status = statusIn('traffic-policy-targets')
  const reasons = (key: string): readonly string[] => {
    const { ancestors } = status(key) as {
      ancestors: { ancestorRef: { kind: string; name: string }; conditions: { status: string; reason: string }[] }[]
    }
    return ancestors.map(
      ({ ancestorRef: { kind, name }, conditions: [one] }) => `${kind} ${name} ${one?.status} ${one?.reason}`,
    )
  }
  assert.deepEqual(reasons('TrafficPolicy/default/younger'), [
    'Service web False Conflicted',
    'Namespace default True Accepted',
  ])
  assert.deepEqual(reasons('TrafficPolicy/default/z-older'), ['Service web True Accepted'])
  assert.deepEqual(reasons('TrafficPolicy/default/nowhere'), [
    'Service wbe False TargetNotFound',
    'Service web False TargetNotFound',
  ])
  assert.deepEqual(reasons('TrafficPolicy/default/too-wide'), [
    'MeshConfig default False Invalid',
    'Namespace bank False Invalid',
  ])
})

test('a Service says which setting came from which policy', () => {
  assert.deepEqual(statusIn('traffic-policy-targets')('Service/default/web'), {
    endpoints: { ready: 0, total: 0 },
    inferred: false,
    policies: [
      {
        port: 80,
        setting: 'connectionLimits.maxConnections',
        from: 'TrafficPolicy default/z-older spec.connectionLimits.maxConnections',
      },
      { port: 80, setting: 'panicThreshold', from: 'TrafficPolicy default/younger spec.panicThreshold' },
    ],
  })
})
