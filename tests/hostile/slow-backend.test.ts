import assert from 'node:assert/strict'
import http from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { test, type TestContext } from 'node:test'
import type { Address } from '../../src/base/address.ts'
import { createWorld } from '../world/world.ts'
import { startBareProxy, type BareOptions, type BareProxy } from './bare-proxy.ts'

const slowMs = 2000
const previousHosts = 'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate'

/** A program that answers after a while, and counts who came. */
async function backend(t: TestContext, delayMs: number): Promise<Address & { readonly heard: () => number }> {
  let heard = 0
  const server = http.createServer((_request, response) => {
    heard++
    // What is slow is the program, not the test: a proxy that does not wait is not held up.
    setTimeout(() => response.end('ok'), delayMs)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, heard: () => heard }
}

/** So many calls, eight at a time; the statuses. */
async function call({ at }: BareProxy, count: number): Promise<readonly number[]> {
  const statuses: number[] = []
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const reply = await fetch(`http://${at.host}:${at.port}/`)
      await reply.text()
      statuses.push(reply.status)
    }
  }
  await Promise.all(Array.from({ length: 8 }, one))
  return statuses
}

const ways: readonly (readonly [how: string, options: BareOptions])[] = [
  [
    'balancing by latency',
    {
      cluster: {
        lb_policy: 'LEAST_REQUEST',
        metadata: { filter_metadata: { 'weft.dev': { load_balancing: 'peak-ewma' } } },
      },
    },
  ],
  [
    'ejection of who does not answer in time',
    {
      cluster: {
        outlier_detection: { consecutive_5xx: 3, base_ejection_time: '300s', max_ejection_percent: 50 },
        circuit_breakers: { thresholds: [{ max_retries: 100 }] },
      },
      route: {
        retry_policy: {
          retry_on: '5xx',
          num_retries: 2,
          per_try_timeout: '0.3s',
          retry_host_predicate: [{ name: 'others', typed_config: { '@type': previousHosts } }],
          host_selection_retry_max_attempts: 10,
        },
      },
    },
  ],
]

for (const [how, options] of ways)
  test(`F27: one of three backends at ${slowMs} ms: ${how} keeps calls away from it`, async (t) => {
    const [slow, ...quick] = await Promise.all([backend(t, slowMs), backend(t, 0), backend(t, 0)])
    const proxy = await startBareProxy(createWorld(t), slow, { ...options, more: quick })
    const learning = await call(proxy, 60)
    const before = slow.heard()
    assert.ok(before > 0, 'it was asked like the others while nothing was known of it')
    const count = 400
    const later = await call(proxy, count)
    // Of evenly spread calls it would get a third. The 99th percentile is a quick one if fewer than one in a hundred meet it.
    const met = slow.heard() - before
    assert.ok(met < count / 100, `${met} of ${count} later calls went to the slow one`)
    assert.ok(quick.every(({ heard }) => heard() > count / 4))
    for (const status of [...learning, ...later]) assert.equal(status, 200)
  })
