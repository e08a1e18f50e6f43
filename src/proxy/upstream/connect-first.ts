import { isIP, type Socket } from 'node:net'
import type { Address } from '../../base/address.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Fault } from '../http/fault.ts'

/** The next address is tried when the ones before it have not been reached within so long, ms. Source: Envoy; RFC 8305 section 5 has 250. */
const nextAfterMs = 300

/** How one of several addresses is reached. */
export interface ConnectFirstParts<C extends Opened> {
  /** For all of them together. */
  readonly timeoutMs: number
  readonly clock: Clock
  /** Opens a plain connection; an abort ends the attempt. */
  readonly connect: (to: Address, timeoutMs: number, signal: AbortSignal) => Promise<C | Fault>
}

interface Opened {
  readonly socket: Socket
}

/**
 * Opens a connection to the first address that can be reached: one after the other, both families in turn, the next at once when one
 * fails and soon when it says nothing; the rest is given up then. The last fault when none can be. Source: RFC 8305, "Happy Eyeballs".
 */
export function connectFirst<C extends Opened>(
  addresses: readonly Address[],
  { timeoutMs, clock, connect }: ConnectFirstParts<C>,
): Promise<C | Fault> {
  const left = inTurn(addresses)
  const deadlineMs = clock.nowMs() + timeoutMs
  const others = new AbortController()
  let underWay = 0
  let next: Timer | undefined
  return new Promise((resolve) => {
    const settled = (answer: C | Fault): void => {
      underWay--
      if (others.signal.aborted) {
        // Reached as the other one was.
        if ('socket' in answer) answer.socket.destroy()
        return
      }
      if ('kind' in answer && (left.length > 0 || underWay > 0)) return tryNext()
      next?.cancel()
      others.abort()
      resolve(answer)
    }
    const tryNext = (): void => {
      next?.cancel()
      const to = left.shift()
      if (to === undefined || others.signal.aborted) return
      underWay++
      // The socket that wins must not end with the others.
      const one = new AbortController()
      const giveUp = (): void => one.abort()
      others.signal.addEventListener('abort', giveUp)
      void connect(to, Math.max(1, deadlineMs - clock.nowMs()), one.signal).then((answer) => {
        others.signal.removeEventListener('abort', giveUp)
        settled(answer)
      })
      if (left.length > 0) next = clock.after(nextAfterMs, tryNext)
    }
    tryNext()
  })
}

/** The families in turn, beginning with that of the first. Source: RFC 8305 section 4. */
function inTurn(addresses: readonly Address[]): Address[] {
  const family = ({ host }: Address): number => isIP(host)
  const [first] = addresses
  const same = addresses.filter((one) => first !== undefined && family(one) === family(first))
  const others = addresses.filter((one) => first !== undefined && family(one) !== family(first))
  return addresses.flatMap((_, index) => [...same.slice(index, index + 1), ...others.slice(index, index + 1)])
}
