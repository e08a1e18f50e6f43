import { createSocket, type Socket } from 'node:dgram'
import type { Address } from '../../base/address.ts'

/** A socket that receives datagrams, until `stop`: answers may leave still. */
export interface Datagrams {
  readonly socket: Socket
  readonly stop: () => void
}

/** A socket for this address; rejects when the system refuses it. Nobody else takes what comes, so that it never stops. */
export function bindDatagrams({ host, port }: Address): Promise<Datagrams> {
  const family = host.includes(':') ? 6 : 4
  // Answers go to addresses, not to names: nothing is looked up for them.
  const socket = createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (address, _options, done) => done(null, address, family),
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, host, () => {
      socket.off('error', reject)
      resolve({ socket, stop() {} })
    })
  })
}

/** Nothing ever comes. */
export const silentDatagrams = (): Datagrams => ({ socket: createSocket('udp4'), stop() {} })
