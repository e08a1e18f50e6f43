import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatLocality, parseLocality, type Locality } from '../../base/locality.ts'
import type { Endpoint, LocalityPreference } from '../model/model.ts'
import { groupEndpoints } from './localities.ts'

const place = (text: string): Locality => {
  const [region = '', zone = '', subZone = ''] = text.split('/')
  return { region, zone, subZone }
}
const endpoints = ['eu/a/1', 'eu/a/2', 'eu/b/1', 'us/a/1', 'eu', '/a', ''].map((text, port): Endpoint => ({
  workload: undefined,
  address: { host: '127.0.0.1', port },
  mtls: false,
  health: 'healthy',
  weight: 1,
  ...(text === '' ? {} : { locality: place(text) }),
}))

/** Places by priority. */
const levels = (prefer: LocalityPreference['prefer'] | undefined, caller: string | undefined): string =>
  [
    ...Map.groupBy(
      groupEndpoints(endpoints, prefer && { prefer }, caller === undefined ? undefined : place(caller)),
      ({ priority }) => priority,
    ),
  ]
    .map(
      ([priority, groups]) => `${priority}: ${groups.map(({ locality }) => formatLocality(locality) || '-').join(' ')}`,
    )
    .join('; ')

const alike = '0: eu/a/1 eu/a/2 eu/b/1 us/a/1 eu /a -'
const cases: readonly (readonly [LocalityPreference['prefer'] | undefined, string | undefined, string])[] = [
  ['sub-zone', 'eu/a/1', '0: eu/a/1; 1: eu/a/2 /a; 2: eu/b/1 eu; 3: us/a/1 -'],
  ['zone', 'eu/a/1', '0: eu/a/1 eu/a/2 /a; 1: eu/b/1 eu; 2: us/a/1 -'],
  ['region', 'eu/a/1', '0: eu/a/1 eu/a/2 eu/b/1 eu /a; 1: us/a/1 -'],
  // Levels that nobody is at leave no gap.
  ['zone', 'eu', '0: eu/a/1 eu/a/2 eu/b/1 eu; 1: us/a/1 /a -'],
  ['sub-zone', 'us/a/9', '0: us/a/1 /a; 1: eu/a/1 eu/a/2 eu/b/1 eu -'],
  ['zone', 'asia/x', alike],
  ['zone', undefined, alike],
  [undefined, 'eu/a/1', alike],
]
for (const [prefer, caller, expected] of cases)
  test(`${prefer ?? 'no preference'}, from ${caller ?? 'nowhere'}`, () =>
    assert.equal(levels(prefer, caller), expected))

test('a place as it is written', () => {
  for (const text of ['eu', 'eu/eu-1', 'eu-west/eu-west-1b/rack_3.2'])
    assert.equal(formatLocality(parseLocality(text) ?? place('')), text)
  for (const text of ['', '/', 'eu/', '/eu', 'a/b/c/d', 'a b', '-a', `a/${'b'.repeat(64)}`])
    assert.equal(parseLocality(text), undefined, text)
})
