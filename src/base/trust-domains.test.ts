import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkTrustDomain, joinTrustDomains, trustDomainsIn } from './trust-domains.ts'

test('bundles by domain in one text are found again; any other text is one bundle for all', () => {
  assert.equal(trustDomainsIn(''), undefined)
  assert.equal(trustDomainsIn('-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n'), undefined)
  const domains = trustDomainsIn(
    joinTrustDomains(
      new Map([
        ['a.example', ''],
        ['b', '\n'],
      ]),
    ),
  )
  assert.deepEqual(
    [...(domains ?? [])],
    [
      ['a.example', []],
      ['b', []],
    ],
  )
})

test('no certificate, or bytes that are none, are nobody', () => {
  for (const chain of [[], [Buffer.from('x')]])
    assert.match(String(checkTrustDomain(chain, new Map(), 0)), /has no SPIFFE ID/)
})
