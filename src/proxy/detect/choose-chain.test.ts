import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AddressMatch, FilterChain, FilterChainMatch } from '../config.ts'
import { chainChooser, type Opening } from './choose-chain.ts'

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
  terminal: {
    kind: 'tcp',
    statPrefix: '',
    clusters: [],
    idleTimeoutMs: 0,
    maxConnectAttempts: 1,
    accessLog: undefined,
  },
})
const choose = (
  chains: readonly FilterChain[],
  opening: Partial<Opening>,
  fallback?: FilterChain,
): string | undefined =>
  chainChooser({ filterChains: chains, defaultFilterChain: fallback })({
    destination: { host: '10.0.0.1', port: 80 },
    source: { host: '10.1.2.3', port: 4711 },
    directSource: '10.1.2.3',
    serverName: undefined,
    transportProtocol: 'raw_buffer',
    applicationProtocols: [],
    ...opening,
  })?.name

const mesh = chain('mesh', { transportProtocol: 'tls', applicationProtocols: ['weft'] })
const raw = chain('raw tls', { transportProtocol: 'tls' })
const plain = chain('plain', { transportProtocol: 'raw_buffer' })
const rest = chain('rest', {})

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
  assert.equal(choose(chains, { destination: { host: '10.0.0.1', port: 81 } }), 'plain')
})

const asks = (name: string, asked: Partial<AddressMatch>): FilterChain =>
  chain(name, {
    addresses: { destinations: [], directSources: [], sourceType: 'any', sources: [], sourcePorts: [], ...asked },
  })

test('destinations and sources: the longest prefix, of the right end', () => {
  const all = [
    asks('ten', { destinations: [{ prefix: '10.0.0.0', bits: 8 }] }),
    asks('host', {
      destinations: [
        { prefix: '192.168.0.1', bits: 32 },
        { prefix: '10.0.0.1', bits: 32 },
      ],
    }),
    asks('any', { destinations: [{ prefix: '0.0.0.0', bits: 0 }] }),
  ]
  assert.equal(choose(all, {}), 'host')
  assert.equal(choose(all, { destination: { host: '10.9.9.9', port: 80 } }), 'ten')
  assert.equal(choose(all, { destination: { host: '11.9.9.9', port: 80 } }), 'any')
  assert.equal(choose([...all, plain], { destination: { host: 'fe80::1', port: 80 } }), 'plain')

  const direct = asks('behind a proxy', { directSources: [{ prefix: '10.1.2.3', bits: 32 }] })
  const from = asks('from', { sources: [{ prefix: '10.1.2.3', bits: 32 }] })
  const proxied = { source: { host: '203.0.113.9', port: 1 } }
  assert.equal(choose([direct, rest], proxied), 'behind a proxy')
  assert.equal(choose([from], proxied), undefined)
  assert.equal(choose([from], {}), 'from')
})

test('source type and ports', () => {
  const all = [asks('local', { sourceType: 'local' }), asks('external', { sourceType: 'external' })]
  assert.equal(choose(all, {}), 'external')
  assert.equal(choose(all, { source: { host: '127.8.0.1', port: 1 } }), 'local')
  assert.equal(choose(all, { source: { host: '::1', port: 1 } }), 'local')
  assert.equal(choose(all, { source: { host: '10.0.0.1', port: 1 } }), 'local')
  const port = asks('port', { sourcePorts: [1, 4711] })
  assert.equal(choose([rest, port], {}), 'port')
  assert.equal(choose([rest, port], { source: { host: '10.1.2.3', port: 2 } }), 'rest')
})

test('server names go before where the connection comes from', () => {
  const named = chain('named', { serverNames: ['a.example'], transportProtocol: 'tls' })
  const tls = { transportProtocol: 'tls', serverName: 'a.example' } as const
  assert.equal(choose([named, asks('source', { sourcePorts: [4711] })], tls), 'named')
})
