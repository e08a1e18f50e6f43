import { formatAddress, type Address } from '../base/address.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { bindSocket, type HeldSocket } from './sockets.ts'

/** Opens the listening sockets that a sidecar asks for, and closes them when it does not want them any more. */
export interface SocketDesk {
  /** Another sidecar begins: sockets that it asks for too stay open all the while. */
  launched(): void
  /** It has asked for all that it wants: what only the one before wanted is closed. */
  settled(): void
  /** Lends a socket, as soon as it can be had. */
  want(address: Address, lend: (socket: HeldSocket) => void): void
  release(address: Address): void
  close(): void
}

/** What has become of the wishes. */
export interface DeskState {
  readonly open: readonly Address[]
  readonly missing: readonly { readonly address: Address; readonly reason: string }[]
}

const retryMs = 1000

interface Wish {
  readonly address: Address
  lend: (socket: HeldSocket) => void
  socket: HeldSocket | undefined
  reason: string
  retry: Timer | undefined
  /** By a sidecar before this one. */
  old: boolean
}

/** Empty. What cannot be bound is tried again every second. */
export function createSocketDesk({
  clock,
  changed,
}: {
  readonly clock: Clock
  readonly changed: (state: DeskState) => void
}): SocketDesk {
  const wishes = new Map<string, Wish>()
  const tell = (): void => {
    const all = [...wishes.values()]
    changed({
      open: all.filter(({ socket }) => socket !== undefined).map(({ address }) => address),
      missing: all.filter(({ socket }) => socket === undefined).map(({ address, reason }) => ({ address, reason })),
    })
  }
  const bind = (wish: Wish): void => {
    const bound = bindSocket(wish.address, 'listener')
    if ('refused' in bound) {
      wish.reason = bound.refused
      wish.retry = clock.after(retryMs, () => bind(wish), { background: true })
    } else {
      wish.socket = bound
      wish.lend(bound)
    }
    tell()
  }
  const drop = (key: string): void => {
    const wish = wishes.get(key)
    wishes.delete(key)
    wish?.retry?.cancel()
    wish?.socket?.close()
  }
  return {
    launched() {
      for (const wish of wishes.values()) wish.old = true
    },
    settled() {
      const old = [...wishes].filter(([, wish]) => wish.old)
      for (const [key] of old) drop(key)
      if (old.length > 0) tell()
    },
    want(address, lend) {
      const key = formatAddress(address)
      const known = wishes.get(key)
      if (known !== undefined) {
        known.lend = lend
        known.old = false
        if (known.socket !== undefined) lend(known.socket)
        return
      }
      const wish: Wish = { address, lend, socket: undefined, reason: '', retry: undefined, old: false }
      wishes.set(key, wish)
      bind(wish)
    },
    release(address) {
      drop(formatAddress(address))
      tell()
    },
    close() {
      for (const key of Array.from(wishes.keys())) drop(key)
    },
  }
}
