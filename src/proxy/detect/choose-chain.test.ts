import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FilterChain, FilterChainMatch } from '../config.ts'
import { chooseChain, type Opening } from './choose-chain.ts'

const chain = (name: string, match: Partial<FilterChainMatch>): FilterChain => ({
  name,
  match: {
    destinationPort: undefined,
    serverNames: [],
    transportProtocol: undefined,
    applicationProtocols: [],
    ...match,
  },
  tls: undefined,
  networkFilters: [],
  terminal: { kind: 'tcp', statPrefix: '', clusters: [], idleTimeoutMs: 0, accessLog: undefined },
})
const choose = (
  chains: readonly FilterChain[],
  opening: Partial<Opening>,
  fallback?: FilterChain,
): string | undefined =>
  chooseChain(
    { filterChains: chains, defaultFilterChain: fallback },
    {
      destinationPort: 80,
      serverName: undefined,
      transportProtocol: 'raw_buffer',
      applicationProtocols: [],
      ...opening,
    },
  )?.name

const mesh = chain('mesh', { transportProtocol: 'tls', applicationProtocols: ['weft'] })
const raw = chain('raw tls', { transportProtocol: 'tls' })
const plain = chain('plain', { transportProtocol: 'raw_buffer' })

test('the more particular match wins, criterion after criterion', () => {
  const all = [raw, plain, mesh]
  assert.equal(choose(all, {}), 'plain')
  assert.equal(choose(all, { transportProtocol: 'tls', applicationProtocols: ['h2'] }), 'raw tls')
  assert.equal(choose(all, { transportProtocol: 'tls', applicationProtocols: ['h2', 'weft'] }), 'mesh')
  assert.equal(choose([mesh], {}), undefined)
  assert.equal(choose([mesh], {}, plain), 'plain')
  assert.equal(choose([mesh], { transportProtocol: 'tls' }), undefined)
})

test('server names: exact, then the longest suffix, then none', () => {
  const names = [
    chain('none', {}),
    chain('suffix', { serverNames: ['*.example.com'] }),
    chain('longer', { serverNames: ['*.a.example.com'] }),
    chain('exact', { serverNames: ['x.a.example.com'] }),
  ]
  assert.equal(choose(names, { serverName: 'x.a.example.com' }), 'exact')
  assert.equal(choose(names, { serverName: 'y.a.example.com' }), 'longer')
  assert.equal(choose(names, { serverName: 'y.example.com' }), 'suffix')
  assert.equal(choose(names, { serverName: 'example.com' }), 'none')
  assert.equal(choose(names, {}), 'none')
})

test('there is no way back: the port decides before all else', () => {
  const chains = [chain('port', { destinationPort: 80, transportProtocol: 'tls' }), plain]
  assert.equal(choose(chains, {}), undefined)
  assert.equal(choose(chains, { destinationPort: 81 }), 'plain')
})
