import assert from 'node:assert/strict'
import net, { type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { formatAddress, type Address } from '../../base/address.ts'
import { manualClock, type ManualClock } from '../../base/testing/manual-clock.ts'
import type { Fault } from '../http/fault.ts'
import { buildCluster } from '../testing/build-config.ts'
import { refusingAddress } from '../testing/world.ts'
import { connectFirst } from './connect-first.ts'
import type { Connected } from './connect.ts'
import { answering, ask, startUpstream } from './testing/upstream.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const at = (host: string): Address => ({ host, port: 80 })

/** Attempts that end when the test says so. */
interface Attempts {
  readonly clock: ManualClock
  readonly answer: Promise<Connected | Fault>
  /** Where it was tried, in order, and what was given up. */
  readonly tried: string[]
  readonly givenUp: string[]
  reach(host: string): Socket
  refuse(host: string): void
}

function attempts(t: TestContext, ...hosts: readonly string[]): Attempts {
  const clock = manualClock()
  const [tried, givenUp]: [string[], string[]] = [[], []]
  const ends = new Map<string, (answer: Connected | Fault) => void>()
  const connect = ({ host }: Address, timeoutMs: number, signal: AbortSignal): Promise<Connected | Fault> => {
    tried.push(`${host} ${timeoutMs}`)
    signal.addEventListener('abort', () => void givenUp.push(host))
    return new Promise((resolve) => ends.set(host, resolve))
  }
  return {
    clock,
    tried,
    givenUp,
    answer: connectFirst(hosts.map(at), { timeoutMs: 1000, clock, connect }),
    reach(host) {
      const socket = new net.Socket()
      t.after(() => socket.destroy())
      ends.get(host)?.({ socket, tls: undefined })
      return socket
    },
    refuse: (host) =>
      ends.get(host)?.({ kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint: at(host), cause: 'no' }),
  }
}

test('both families in turn, the next after 300 ms of silence; the first that is reached wins, the others are given up', async (t) => {
  const one = attempts(t, '::1', '::2', '::3', '10.0.0.1')
  assert.deepEqual(one.tried, ['::1 1000'])
  one.clock.advance(299)
  assert.equal(one.tried.length, 1)
  one.clock.advance(1)
  assert.deepEqual(one.tried, ['::1 1000', '10.0.0.1 700'])
  one.clock.advance(300)
  const socket = one.reach('10.0.0.1')
  const answer = await one.answer
  assert.ok('socket' in answer && answer.socket === socket)
  assert.deepEqual(one.givenUp.toSorted(), ['::1', '::2'])
  const late = one.reach('::2')
  await turn()
  assert.ok(late.destroyed, 'whoever comes too late is let go')
  assert.equal(one.clock.pending, 0)
  assert.equal(one.tried.length, 3)
})

test('a refusal is followed by the next at once; the last fault is told when nobody can be reached', async (t) => {
  const one = attempts(t, '10.0.0.1', '10.0.0.2')
  one.refuse('10.0.0.1')
  await turn()
  assert.deepEqual(one.tried, ['10.0.0.1 1000', '10.0.0.2 1000'])
  one.refuse('10.0.0.2')
  const answer = await one.answer
  assert.ok('kind' in answer && answer.kind === 'connect-failed' && formatAddress(answer.endpoint) === '10.0.0.2:80')
  assert.equal(one.clock.pending, 0)
})

test('an endpoint with several addresses is called where it can be reached, also for raw connections', async (t) => {
  const { at: answers } = await answering(t)
  const upstream = startUpstream(t)
  const base = buildCluster('web', [await refusingAddress(t)])
  const [first] = base.endpoints
  assert.ok(first)
  const cluster = { ...base, endpoints: [{ ...first, moreAddresses: [answers] }] }
  assert.equal(await ask(upstream, cluster), 'ok')
  assert.equal(await ask(upstream, cluster), 'ok')
  assert.equal(upstream.describe()['web']?.connections, 1, 'the connection is kept')
  const from = { remote: answers, local: answers, principal: undefined, tls: false }
  const raw = await upstream.connectTcp(cluster, cluster.endpoints[0] ?? first, from)
  assert.ok(!('kind' in raw))
  raw.socket.destroy()
  assert.ok('kind' in (await upstream.connectTcp(base, first, from)))
})
