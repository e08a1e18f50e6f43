import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import type { FilterChain } from './config.ts'
import { buildCluster, buildConfig, buildInbound } from './testing/build-config.ts'
import { eventually, ownAddress, program, startProxy } from './testing/world.ts'

test('a connection at its age answers what is asked meanwhile, and ends; a young one stays', async (t) => {
  const at = await ownAddress(t)
  const to = await program(t, (one) =>
    one.on('data', () => one.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi')),
  )
  const plain = buildInbound(at, 'program', { strict: false })
  const aged = (chain: FilterChain): FilterChain =>
    chain.terminal.kind === 'http' ? { ...chain, terminal: { ...chain.terminal, maxAgeMs: 300 } } : chain
  const listener = { ...plain, filterChains: plain.filterChains.map(aged) }
  await startProxy(t, buildConfig({ listeners: [listener], clusters: [buildCluster('program', [to])], trustPem: '' }))
  const client = net.connect(at)
  t.after(() => client.destroy())
  let text = ''
  client.setEncoding('latin1').on('data', (chunk: string) => (text += chunk))
  const closed = once(client, 'close')
  const startedMs = performance.now()
  const replies = (): number => text.split('HTTP/1.1 200').length - 1
  for (let asked = 1; !client.destroyed && !/connection: close/i.test(text); asked++) {
    client.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n')
    await eventually(() => replies() >= asked || client.destroyed)
    if (performance.now() - startedMs < 250) assert.doesNotMatch(text, /connection: close/i)
  }
  await closed
  assert.ok(replies() > 0)
  assert.match(text, /connection: close/i)
  assert.ok(performance.now() - startedMs >= 300)
})
