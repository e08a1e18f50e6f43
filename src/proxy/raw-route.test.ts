import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Route, RouteTable } from './config.ts'
import { rawRoute } from './raw-route.ts'

const route = (name: string): Route => ({ name }) as Route
const table = (...hosts: readonly string[]): RouteTable =>
  ({ virtualHosts: hosts.map((host) => ({ domains: [host], routes: [route(host)] })) }) as unknown as RouteTable

test('the narrowest name decides; bytes without a name go by "*" alone', () => {
  const named = table('a.example', '*.example', '*.b.example')
  for (const [name, wanted] of [
    ['a.example', 'a.example'],
    ['c.example', '*.example'],
    ['x.b.example', '*.b.example'],
    ['other', undefined],
    ['', undefined],
  ] as const)
    assert.equal(rawRoute(named, name)?.name, wanted, name)
  const all = table('a.example', '*')
  assert.equal(rawRoute(all, '')?.name, '*')
  assert.equal(rawRoute(all, 'a.example')?.name, 'a.example')
})
