import type { Socket } from 'node:net'
import type { Address } from '../../base/address.ts'
import { kept, readShared } from '../../base/shared-reads.ts'
import type { Body, Sink, Tunnel } from '../http/body.ts'

/** A raw connection as the far side of a tunnel: each way has its own end, and what breaks one breaks the other. */
export function socketTunnel(socket: Socket, endpoint: Address): Tunnel {
  let sink: Sink | undefined
  let ended = false
  const end = (tell: (to: Sink) => void): void => {
    const to = sink
    ended = true
    sink = undefined
    if (to !== undefined) tell(to)
  }
  const incoming: Body = {
    length: undefined,
    start(to) {
      sink = to
      socket
        .on('error', () => {})
        .on('end', () => end((one) => one.end()))
        .on('close', () => {
          if (!ended)
            end((one) =>
              one.fail({
                kind: 'truncated',
                side: 'upstream',
                retry: 'never',
                endpoint,
                cause: 'the connection was lost',
              }),
            )
        })
      readShared(socket, (chunk) => {
        if (sink?.data(chunk) === false) socket.pause()
      })
      socket.resume()
    },
    resume: () => void socket.resume(),
    cancel() {
      sink = undefined
      socket.destroy()
    },
  }
  return {
    incoming,
    send(outgoing) {
      socket.on('drain', () => outgoing.resume())
      outgoing.start({
        data(chunk) {
          socket.write(kept(chunk))
          return !socket.writableNeedDrain
        },
        end: () => void socket.end(),
        fail: () => void socket.destroy(),
      })
    },
  }
}
