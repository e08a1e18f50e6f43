import { formatAddress } from '../base/address.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { WantedSocket } from '../proxy/sidecar-messages.ts'
import { bindDatagrams, bindSocket, type HeldSocket } from './sockets.ts'

/** Opens the sockets that a sidecar asks for, and closes them when it does not want them any more. */
export interface SocketDesk {
  /** Another sidecar begins: sockets that it asks for too stay open all the while. */
  launched(): void
  /** It has asked for all that it wants: what only the one before wanted is closed. */
  settled(): void
  /** Lends a socket, as soon as it can be had. */
  want(address: WantedSocket, lend: (socket: HeldSocket) => void): void
  release(address: WantedSocket): void
  close(): void
}

/** What has become of the wishes. */
export interface DeskState {
  readonly open: readonly WantedSocket[]
  readonly missing: readonly { readonly address: WantedSocket; readonly reason: string }[]
}

/** "127.0.0.1:80", "127.0.0.1:53/udp". */
export const formatSocket = (address: WantedSocket): string => `${formatAddress(address)}${address.udp ? '/udp' : ''}`

const retryMs = 1000

interface Wish {
  readonly address: WantedSocket
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
    const { host, port, udp } = wish.address
    if (udp === true) void bindDatagrams({ host, port }, 'listener', 'listener').then((one) => settle(wish, one))
    else settle(wish, bindSocket({ host, port }, 'listener'))
  }
  const settle = (wish: Wish, bound: ReturnType<typeof bindSocket>): void => {
    // A UDP socket takes a moment to bind: meanwhile nobody may want it any more.
    const dropped = wishes.get(formatSocket(wish.address)) !== wish
    if (dropped) return void ('refused' in bound || bound.close())
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
      const key = formatSocket(address)
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
      drop(formatSocket(address))
      tell()
    },
    close() {
      for (const key of Array.from(wishes.keys())) drop(key)
    },
  }
}
