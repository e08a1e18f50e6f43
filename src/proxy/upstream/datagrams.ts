import dgram from 'node:dgram'
import type { Address } from '../../base/address.ts'

/** Datagrams to and from one endpoint. */
export interface DatagramUpstream {
  /** False: it was dropped, since too many wait. */
  send(datagram: Buffer): boolean
  close(): void
}

/** What is heard of an endpoint. */
export interface DatagramEvents {
  readonly received: (datagram: Buffer) => void
  /** Nobody listens there, or it cannot be reached; the socket is closed already. */
  readonly failed: (cause: string) => void
}

/** Datagrams that may wait for the kernel to take them, in bytes. */
const longestQueueBytes = 1 << 20
/** Before the kernel has given us a port, in datagrams. */
const longestEarly = 32

/** A socket of its own towards `to`: it hears only from there, and learns when nobody is there. `to.host` is an IP address. `from`: where it is; undefined: as the kernel has it. */
export function openDatagrams(
  { host, port }: Address,
  from: Address | undefined,
  { received, failed }: DatagramEvents,
): DatagramUpstream {
  const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4')
  let early: Buffer[] | undefined = []
  let open = true
  const close = (): void => {
    if (!open) return
    open = false
    early = undefined
    socket.close()
  }
  const fail = (error: Error): void => {
    if (!open) return
    close()
    failed('code' in error ? String(error.code) : error.message)
  }
  const sent = (error: Error | null): void => {
    if (error !== null) fail(error)
  }
  socket.on('error', fail)
  socket.on('message', (datagram) => {
    if (open) received(datagram)
  })
  if (from !== undefined) socket.bind(from.port, from.host)
  socket.connect(port, host, () => {
    if (!open) return
    for (const datagram of early ?? []) socket.send(datagram, sent)
    early = undefined
  })
  return {
    send(datagram) {
      if (!open) return false
      if (early !== undefined) return early.length < longestEarly && early.push(datagram) > 0
      if (socket.getSendQueueSize() > longestQueueBytes) return false
      socket.send(datagram, sent)
      return true
    },
    close,
  }
}
