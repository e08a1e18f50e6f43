import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { Address } from '../../../base/address.ts'
import { systemClock, type Clock } from '../../../base/clock.ts'
import { seeded } from '../../../base/random.ts'
import { createSweeper } from '../../../base/sweeper.ts'
import type { Cluster } from '../../config.ts'
import { http1Client } from '../../http/http1/client.ts'
import { collect, testCall } from '../../http/http1/testing/raw.ts'
import { http2Client } from '../../http/http2/client.ts'
import { isFault } from '../../http/service.ts'
import { program } from '../../testing/world.ts'
import { createUpstream, type Upstream, type UpstreamParts } from '../upstream.ts'

/** Pools with both codecs and, unless they are among `parts`, without secrets; closed with the test. */
export function startUpstream(
  t: TestContext,
  clock: Clock = systemClock,
  parts: Partial<UpstreamParts> = {},
): Upstream {
  const sweeper = createSweeper(clock, 100)
  const upstream = createUpstream({
    codec: http1Client,
    multiplexed: http2Client,
    secrets: { certificate: () => undefined, trust: () => undefined },
    upstreamFaultHeader: 'x-weft-upstream-fault',
    clock,
    sweeper,
    random: seeded(1),
    ...parts,
  })
  t.after(() => {
    upstream.close()
    sweeper.close()
  })
  return upstream
}

/** A program that answers each request; gives the sockets in the order in which they came. */
export async function answering(t: TestContext): Promise<{ at: Address; sockets: Socket[] }> {
  const sockets: Socket[] = []
  const at = await program(t, (socket) => {
    sockets.push(socket)
    socket.on('data', () => void socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  })
  return { at, sockets }
}

/** Sends a call to the cluster's first endpoint and reads its reply: the body, or the kind of fault. */
export async function ask(
  upstream: Upstream,
  cluster: Cluster,
  call: ReturnType<typeof testCall> = testCall(),
): Promise<string> {
  const [endpoint] = cluster.endpoints
  const answer = await upstream.send(cluster, endpoint ?? assert.fail(), call)
  if (isFault(answer)) return answer.kind
  const { text } = await collect(answer.body)
  call.end({ status: answer.status, fault: undefined })
  return text
}
