import assert from 'node:assert/strict'
import { test } from 'node:test'
import { manualClock } from '../base/testing/manual-clock.ts'
import type { ToSidecar } from '../proxy/sidecar-messages.ts'
import type { SidecarChild } from './sidecar-child.ts'
import { takeOver } from './take-over.ts'

/** A sidecar of words alone: it does what the test tells it to, and `log` keeps what it was told. */
function fake(name: string, log: string[], said?: string) {
  const warm = Promise.withResolvers<void>()
  const ready = Promise.withResolvers<void>()
  const ended = Promise.withResolvers<string>()
  const child: SidecarChild = {
    pid: name === 'old' ? 1 : 2,
    place: undefined,
    send: (message: ToSidecar) => log.push(`${name}: ${message.kind}`) > 0,
    lend: () => void log.push(`${name}: sockets`),
    ask: ({ what }) => {
      log.push(`${name}: ${what}?`)
      return Promise.resolve({ json: what === 'demanded' ? ['default/web/80'] : [] })
    },
    warm: warm.promise,
    ready: ready.promise,
    ended: ended.promise,
    lastWords: said,
    kill: () => void log.push(`${name}: killed`),
  }
  return { child, warm, ready, ended }
}

function start(said?: string) {
  const log: string[] = []
  const clock = manualClock()
  const old = fake('old', log)
  const next = fake('next', log, said)
  let off = false
  const result = takeOver(old.child, {
    begin(demanded) {
      log.push(`begin ${demanded.join()}`)
      return next.child
    },
    lend: (child) => child.lend([]),
    isOff: () => off,
    clock,
  })
  return { log, clock, next, result, oldIsGone: () => (off = true) }
}
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('the new one is warm before it gets the sockets, and has the figures before it serves', async () => {
  const { log, clock, next, result } = start()
  await settled()
  assert.deepEqual(log, ['old: demanded?', 'begin default/web/80'])
  clock.advance(300)
  next.warm.resolve()
  await settled()
  assert.deepEqual(log.slice(2), ['old: figures?', 'next: sockets', 'next: take-over'])
  next.ready.resolve()
  const { next: child, ...told } = (await result) as { next: unknown }
  assert.equal(child, next.child)
  assert.deepEqual(told, { before: 1, after: 2, tookMs: 300 })
})

test('one that gets no configuration is ended, and never had a socket', async () => {
  const { log, clock, result } = start()
  await settled()
  clock.advance(8000)
  assert.match(JSON.stringify(await result), /not within 8 s: it waited for its configuration\); the old one serves on/)
  assert.ok(log.includes('next: killed') && !log.includes('next: sockets'))
})

test('one that ends says why', async () => {
  const { next, result } = start('"nowhere" is no address')
  await settled()
  next.ended.resolve('status 1')
  assert.match(JSON.stringify(await result), /did not come up \(.*nowhere.* is no address\); the old one serves on/)
})

test('when the old one has crashed meanwhile, its successor is what counts', async () => {
  const { log, next, result, oldIsGone } = start()
  await settled()
  oldIsGone()
  next.warm.resolve()
  assert.match(JSON.stringify(await result), /the old one has ended meanwhile/)
  assert.ok(log.includes('next: killed') && !log.includes('next: sockets'))
})
