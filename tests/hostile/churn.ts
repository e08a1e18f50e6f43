import assert from 'node:assert/strict'
import { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { TLSSocket } from 'node:tls'
import v8 from 'node:v8'
import { seeded } from '../../src/base/random.ts'
import { Exchange } from '../../src/proxy/http/exchange.ts'
import { IncomingBody } from '../../src/proxy/http/http1/incoming-body.ts'
import { OutgoingBody } from '../../src/proxy/http/http1/outgoing-body.ts'
import { ClientStream } from '../../src/proxy/http/http2/client-stream.ts'
import { Connection } from '../../src/proxy/http/http2/connection.ts'
import { ServerStream } from '../../src/proxy/http/http2/server-stream.ts'
import { Stream } from '../../src/proxy/http/http2/stream.ts'
import type { TestProxy } from '../../src/proxy/testing/world.ts'
import { until } from '../world/until.ts'
import { startHop } from './hop.ts'
import { http1Calls, http2Calls, type RudeCall } from './rude-clients.ts'
import { rudeProgram } from './rude-program.ts'

/** What one call or connection is made of. All of this process are counted, reachable ones only. */
const kinds = {
  Exchange,
  IncomingBody,
  OutgoingBody,
  Stream,
  ClientStream,
  ServerStream,
  Connection,
  Socket,
  TLSSocket,
}

type Left = Readonly<Record<keyof typeof kinds, number>>

/** How many of each the collector cannot take away. */
const countLeft = (): Left =>
  Object.fromEntries(
    Object.entries(kinds).map(([name, kind]) => [name, v8.queryObjects(kind, { format: 'count' })]),
  ) as Left

/** Bytes that are in use after a full collection, in the heap and beside it. */
function usedBytes(): number {
  v8.queryObjects(Exchange, { format: 'count' })
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const openSockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS)\w*Wrap$/.test(name)).length

/** Calls under way, by the proxies' own figures: metrics, endpoints, connections that are not idle. */
function underWay({ metrics, proxy }: TestProxy): number {
  const active = [...metrics.exposition().matchAll(/^weft_(?:active_requests|tcp_connections_active)\S* (\d+)$/gm)]
  const clusters = proxy.describeClusters() as readonly { endpoints: readonly { activeCalls: number }[] }[]
  const calls = clusters.flatMap(({ endpoints }) => endpoints.map(({ activeCalls }) => activeCalls))
  return [...active.map(([, count]) => Number(count)), ...calls].reduce((sum, count) => sum + count, 0)
}

/**
 * `requests` calls by clients that break off anyhow, to a program that does too: by HTTP/1.1 and HTTP/2, straight to a receiving proxy
 * in plain text, and through a calling one and mTLS. Then nothing may be left of them, and memory must be where it was after the
 * first tenth.
 */
export async function churn(t: TestContext, requests: number, mayGrowBytes: number): Promise<void> {
  const hop = await startHop(t, await rudeProgram(t))
  const atFirst = { sockets: openSockets(), objects: countLeft() }
  const random = seeded(7)
  const viaHop = (path: string): string => `http://web${path}`
  const sessions = [http2Calls(hop.inboundAt, random), http2Calls(hop.outboundAt, random)]
  const callers: RudeCall[] = [
    http1Calls(hop.inboundAt, (path) => path, random),
    http1Calls(hop.outboundAt, viaHop, random),
    ...sessions,
  ]
  const run = async (count: number): Promise<void> => {
    let left = count
    const worker = async (call: RudeCall): Promise<void> => {
      while (left-- > 0) await call()
    }
    await Promise.all(callers.flatMap((call) => Array.from({ length: 6 }, () => worker(call))))
  }
  const quiet = (): Promise<unknown> =>
    until('no call is under way', () => underWay(hop.inbound) + underWay(hop.outbound) === 0)

  await run(requests / 10)
  await quiet()
  const before = usedBytes()
  await run((requests / 10) * 9)
  await quiet()
  const grown = usedBytes() - before
  for (const { close } of sessions) close()
  hop.retire()
  await until(
    'every socket is closed',
    () => openSockets() === atFirst.sockets || assert.fail(`${openSockets()} are open`),
  )
  await until('nothing is left', () => {
    assert.deepEqual(countLeft(), atFirst.objects)
    return true
  })
  assert.ok(grown < mayGrowBytes, `${grown} bytes more are in use after ${requests} calls`)
  t.diagnostic(`${requests} calls, ${grown} bytes more in use`)
}
