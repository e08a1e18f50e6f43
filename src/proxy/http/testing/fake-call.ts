import { emptyBody } from '../body.ts'
import type { Fault } from '../fault.ts'
import { headerField } from '../headers.ts'
import type { Call, Outcome, Peer, Reply } from '../service.ts'

/** A call made by hand, for tests of layers: it keeps what `Call` promises about ending and cancelling. */
export interface HandmadeCall extends Call {
  /** Ends the exchange: what the downstream codec does after the last byte. */
  end(outcome: Outcome): void
}

/** GET http://web.test/ over HTTP/1.1 from a peer on plain text, unless said otherwise. */
export function makeCall(
  parts: Partial<Omit<Call, 'headers' | 'peer'>> & { headers?: Record<string, string>; peer?: Partial<Peer> } = {},
): HandmadeCall {
  const settled: ((outcome: Outcome) => void)[] = []
  const heard: ((fault: Fault) => void)[] = []
  let over: Outcome | undefined
  let cancelled: Fault | undefined
  const { headers = {}, peer, ...rest } = parts
  const call: HandmadeCall = {
    method: 'GET',
    scheme: 'http',
    authority: 'web.test',
    path: '/',
    body: emptyBody,
    protocol: 'http/1.1',
    startedMs: 0,
    trace: { tried: [], attempts: 0, bytesSent: 0, bytesReceived: 0 },
    ...rest,
    headers: Object.entries(headers).map(([name, value]) => headerField(name, value)),
    peer: {
      remote: { host: '127.0.0.1', port: 40_000 },
      local: { host: '127.0.0.1', port: 8080 },
      principal: undefined,
      tls: false,
      ...peer,
    },
    onEnd: (tell) => void (over === undefined ? settled.push(tell) : tell(over)),
    cancel(fault) {
      if (cancelled !== undefined || over !== undefined) return
      cancelled = fault
      for (const tell of heard) tell(fault)
    },
    onCancel: (tell) => void (cancelled === undefined ? heard.push(tell) : tell(cancelled)),
    end(outcome) {
      if (over !== undefined) throw new Error('a call ends once')
      over = outcome
      for (const tell of settled) tell(outcome)
    },
  }
  return call
}

/** A reply without a body. */
export const makeReply = (status = 200): Reply => ({ status, headers: [], body: emptyBody })
