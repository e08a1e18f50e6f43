import { formatAddress, type Address } from '../base/address.ts'
import type { SocketOwner } from './handed-over.ts'
import type { Datagrams } from './listener/datagrams.ts'

/** UDP sockets that are asked of the agent as listeners come and go. */
export interface OrderedDatagrams {
  /** One has come. It receives from the moment somebody takes it; one that nobody waits for any more is left alone. */
  add(address: Address, receive: () => Datagrams | undefined): void
  /** The socket once it can be had; it is given back when it is closed. An abort ends the wait. */
  order(address: Address, signal: AbortSignal): Promise<Datagrams>
  /** What is closed from now on is not given back: another process has it too. */
  close(): void
}

/** Empty. */
export function createOrderedDatagrams(owner: Pick<SocketOwner, 'want' | 'release'>): OrderedDatagrams {
  const waiting = new Map<string, (receive: () => Datagrams | undefined) => void>()
  let closed = false
  const release = (address: Address): void => {
    if (!closed) owner.release({ ...address, udp: true })
  }
  return {
    add: (address, receive) => waiting.get(formatAddress(address))?.(receive),
    order(address, signal) {
      const key = formatAddress(address)
      const { promise, resolve, reject } = Promise.withResolvers<Datagrams>()
      const abandoned = (): void => {
        waiting.delete(key)
        release(address)
        reject(new Error(`nobody waits for ${key} any more`))
      }
      signal.addEventListener('abort', abandoned, { once: true })
      waiting.set(key, (receive) => {
        waiting.delete(key)
        signal.removeEventListener('abort', abandoned)
        const datagrams = receive()
        if (datagrams === undefined) return reject(new Error(`${key}: what came is no UDP socket`))
        datagrams.socket.once('close', () => release(address))
        resolve(datagrams)
      })
      owner.want({ ...address, udp: true })
      return promise
    },
    close() {
      closed = true
    },
  }
}
