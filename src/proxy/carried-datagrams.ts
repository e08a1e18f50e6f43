import type { Socket } from 'node:dgram'
import { formatAddress, type Address } from '../base/address.ts'
import { readFrame, type FramedDatagram } from '../base/datagram-frame.ts'
import type { Swept } from '../base/sweeper.ts'
import { passthroughCluster } from '../xds/names.ts'
import type { AccessLog, Listener } from './config.ts'
import type { Fault } from './http/fault.ts'
import { isVirtualIp } from './route/names.ts'
import type { Shared } from './shared.ts'
import { tellConnection } from './telemetry/connection-log.ts'
import type { Logs } from './telemetry/logs.ts'
import type { UdpDrop } from './telemetry/record-udp.ts'
import { openDatagrams, type DatagramUpstream } from './upstream/datagrams.ts'

/** The socket by which the helper in the program's namespace tells of its datagrams, and hears their answers. */
export interface DatagramCarrier {
  readonly socket: Socket
  /** Receives no more; answers may leave still. */
  readonly stop: () => void
  /** Port of the helper's own end; what comes from elsewhere is nobody's. */
  readonly relay: number
}

/** Takes a captured program's datagrams to where they were for. */
export interface CarriedDatagrams {
  /** The listener for what was captured, as it is now. */
  update(listener: Listener | undefined): void
  attach(carrier: DatagramCarrier): void
  /** Takes no more; resolves when no answer is waited for, after `deadlineMs` at the latest. */
  drain(deadlineMs: number): Promise<void>
  close(): void
}

/** One program's socket and one address outside. */
interface Session {
  readonly ends: Pick<FramedDatagram, 'head' | 'source' | 'destination'>
  readonly upstream: DatagramUpstream
  readonly startedMs: number
  movedMs: number
  received: number
  sent: number
}

/** Each has a socket. */
const mostSessions = 1024
/** Source: RFC 4787, REQ-5: not less than two minutes. */
const idleMs = 120_000
const drainIdleMs = 1_000

/** `shared` is what it counts and logs with. */
export function carryDatagrams(shared: Shared): CarriedDatagrams {
  const { sweeper, clock, overload } = shared
  const counters = shared.udp.of(passthroughCluster)
  const sessions = new Map<string, Session>()
  let listener: Listener | undefined
  let carrier: DatagramCarrier | undefined
  let draining = false
  let emptied = (): void => {}

  const end = (key: string, session: Session, fault?: Fault): void => {
    if (!sessions.delete(key)) return
    session.upstream.close()
    overload.give()
    counters.closed()
    const log = accessLogOf(listener)
    if (log !== undefined) tell(shared.logsOf(log), session, fault)
    if (sessions.size === 0) emptied()
  }
  const tell = (logs: Logs, { ends, startedMs, received, sent }: Session, fault: Fault | undefined): void => {
    const { source: remote, destination } = ends
    const peer = { remote, local: destination, principal: undefined, tls: false }
    const where = { cluster: passthroughCluster, endpoint: destination, origin: undefined }
    tellConnection(
      logs,
      { direction: 'outbound', protocol: 'udp', peer, startedMs },
      { ...where, received, sent, fault, attempts: 1 },
      clock,
    )
  }
  const begin = (key: string, { head, source, destination }: FramedDatagram): Session | UdpDrop => {
    if (sessions.size >= mostSessions || !overload.take()) return 'overflow'
    // The frame's memory is the socket's.
    const ends = { head: Buffer.from(head), source, destination }
    const upstream = openDatagrams(destination, undefined, {
      received(datagram) {
        session.movedMs = sweeper.nowMs
        session.sent += datagram.length
        counters.sent(datagram.length)
        carrier?.socket.send([ends.head, datagram], carrier.relay, loopback, ignore)
      },
      failed: (cause) =>
        end(key, session, { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint: destination, cause }),
    })
    const startedMs = clock.nowMs()
    const session: Session = { ends, upstream, startedMs, movedMs: sweeper.nowMs, received: 0, sent: 0 }
    counters.opened()
    sessions.set(key, session)
    return session
  }
  const take = (bytes: Buffer): void => {
    const frame = readFrame(bytes)
    if (frame === undefined) return
    if (listener?.carriesDatagrams !== true || isNowhere(frame.destination)) {
      shared.refusedDatagrams(formatAddress(frame.destination))
      return counters.dropped('refused')
    }
    const key = frame.head.toString('latin1')
    const session = sessions.get(key) ?? begin(key, frame)
    if (typeof session === 'string') return counters.dropped(session)
    session.movedMs = sweeper.nowMs
    if (!session.upstream.send(Buffer.from(frame.payload))) return counters.dropped('queue-full')
    session.received += frame.payload.length
    counters.received(frame.payload.length)
  }

  const idle: Swept = {
    sweep(nowMs) {
      const longest = (draining ? drainIdleMs : idleMs) + sweeper.periodMs
      for (const [key, session] of sessions) if (nowMs - session.movedMs >= longest) end(key, session)
    },
  }
  const endAll = (): void => {
    for (const [key, session] of sessions) end(key, session)
  }
  sweeper.add(idle)

  return {
    update(next) {
      listener = next
      if (next?.carriesDatagrams !== true) endAll()
    },
    attach(given) {
      carrier = given
      given.socket.on('message', (bytes, from) => {
        if (from.port === given.relay && from.address === loopback) take(bytes)
      })
    },
    async drain(deadlineMs) {
      carrier?.stop()
      draining = true
      if (sessions.size === 0) return
      const { promise, resolve } = Promise.withResolvers<void>()
      emptied = resolve
      const timer = clock.after(deadlineMs, endAll)
      await promise
      timer.cancel()
    },
    close() {
      endAll()
      sweeper.remove(idle)
      carrier?.socket.close()
      carrier = undefined
    },
  }
}

const loopback = '127.0.0.1'

/** Addresses that mean something only inside, or that no datagram can be sent to from here. Ports of services take no datagrams. */
const isNowhere = ({ host, port }: Address): boolean =>
  port === 0 ||
  host === '::1' ||
  host === '::' ||
  /^(?:0|127|22[4-9]|23\d|255)\./.test(host) ||
  /^ff/i.test(host) ||
  isVirtualIp(host)

const accessLogOf = (listener: Listener | undefined): readonly AccessLog[] | undefined => {
  const terminal = listener?.filterChains[0]?.terminal
  return terminal?.accessLog
}

const ignore = (): void => {}
