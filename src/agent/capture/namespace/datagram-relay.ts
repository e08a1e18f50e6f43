import { headBytes, headPlaces } from '../../../base/datagram-frame.ts'
import { answerPacket } from './ip-datagram.ts'
import { createReceiver, openPair, openRaw, openTransparent, sendPaired, sendRaw, type Family } from './libc.ts'
import { answeredMark, capturePorts } from './messages.ts'

/** So many from one socket, before others and the agent have their turn. */
const atOnce = 64
const longestDatagram = 0xff_ff

/**
 * Tells the sidecar of the datagrams that the rules send here, in frames, by a pair of sockets on loopback; and gives the program the
 * answers, from the address that it had sent to. Throws when this system lacks something. IPv6 only `withIpv6`.
 */
export function startDatagramRelay(withIpv6: boolean): void {
  const pair = openPair(capturePorts.relay, capturePorts.carrier)
  const drains = [answers(pair, withIpv6), questions(4, pair), ...(withIpv6 ? [questions(6, pair)] : [])]
  let again = false
  const drainAll = (): void => {
    again = false
    for (const drain of drains)
      if (drain() && !again) {
        again = true
        setImmediate(drainAll)
      }
  }
  process.on('SIGIO', drainAll)
  // What came before anybody listened to the signal.
  drainAll()
}

/** Takes what there is; true: there may be more. */
type Drain = () => boolean

/** What the program sends out. */
function questions(family: Family, pair: number): Drain {
  const fd = openTransparent(family, capturePorts.datagrams)
  const size = family === 4 ? 4 : 16
  const { source, destination } = headPlaces(size)
  const head = headBytes(size)
  const frame = Buffer.alloc(head + longestDatagram)
  frame[0] = size
  const receiver = createReceiver(family, frame, head)
  return () => {
    for (let count = 0; count < atOnce; count++) {
      const length = receiver.receive(fd)
      if (length < 0) return false
      receiver.writeEnd('source', frame, source)
      if (receiver.writeEnd('destination', frame, destination)) sendPaired(pair, frame.subarray(0, head + length))
    }
    return true
  }
}

/** What comes back. */
function answers(pair: number, withIpv6: boolean): Drain {
  const raw = { 4: openRaw(4, answeredMark), 6: withIpv6 ? openRaw(6, answeredMark) : undefined }
  const frame = Buffer.alloc(headBytes(16) + longestDatagram)
  const receiver = createReceiver(4, frame, 0)
  return () => {
    let failures = 0
    for (let count = 0; count < atOnce; count++) {
      const length = receiver.receive(pair)
      // There is none; or, once, the sidecar was not there when it was told something.
      if (length < 0 && ++failures > 1) return false
      if (length < 0) continue
      const answer = answerPacket(frame.subarray(0, length))
      if (answer === undefined) continue
      const family = answer.to.length === 4 ? 4 : 6
      const fd = raw[family]
      if (fd !== undefined) sendRaw(fd, family, answer.packet, answer.to)
    }
    return true
  }
}
