import type { Socket } from 'node:net'
import type { ProbeResult } from '../balance/probe.ts'
import type { TcpProbe } from '../config.ts'
import { faultSentence, type Fault } from '../http/fault.ts'
import { foundInOrder } from './found-in-order.ts'

/** What a check of one endpoint by a raw connection needs. */
export interface TcpProbeParts {
  readonly connect: () => Promise<{ readonly socket: Socket } | Fault>
  /** Called with what breaks the check off. */
  readonly onStop: (stop: (fault: Fault) => void) => void
}

/** More than this is not kept of what an endpoint says. */
const limitBytes = 64 * 1024

/** Opens a connection, says what is to be said, and waits for all that must be heard. Source: Envoy HealthCheck.TcpHealthCheck. */
export async function probeTcp({ send, receive }: TcpProbe, parts: TcpProbeParts): Promise<ProbeResult> {
  const connected = await parts.connect()
  if ('kind' in connected) return { kind: 'failed', wrong: false, why: faultSentence(connected) }
  const { socket } = connected
  return new Promise((resolve) => {
    const done = (result: ProbeResult): void => {
      socket.destroy()
      resolve(result)
    }
    if (receive.length === 0 && send.length === 0) return done({ kind: 'passed', degraded: false })
    let heard = Buffer.alloc(0)
    parts.onStop((fault) => done({ kind: 'failed', wrong: false, why: faultSentence(fault) }))
    socket
      .on('error', () => {})
      .on('close', () => done({ kind: 'failed', wrong: false, why: 'it closed the connection' }))
      .on('data', (chunk: Buffer) => {
        heard = Buffer.concat([heard, chunk]).subarray(0, limitBytes)
        if (foundInOrder(heard, receive)) done({ kind: 'passed', degraded: false })
      })
      .write(send, () => {
        if (receive.length === 0) done({ kind: 'passed', degraded: false })
      })
  })
}
