import { formatAddress } from '../base/address.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { WantedSocket } from '../proxy/sidecar-messages.ts'
import { bindDatagrams, bindSocket, type HeldSocket } from './sockets.ts'

/** Opens the sockets that sidecars ask for, and closes them when none wants them any more. */
export interface SocketDesk {
  /** For the processes of one worker, one after the other. */
  seat(): DeskSeat
  close(): void
}

/** Where one worker asks. */
export interface DeskSeat {
  /** Another sidecar begins: sockets that it asks for too stay open all the while. */
  launched(): void
  /** It has asked for all that it wants: what only the one before wanted is closed. */
  settled(): void
  /** Lends a socket, as soon as it can be had. */
  want(address: WantedSocket, lend: (socket: HeldSocket) => void): void
  release(address: WantedSocket): void
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
  readonly wanters: Map<object, Wanter>
  socket: HeldSocket | undefined
  reason: string
  retry: Timer | undefined
}
interface Wanter {
  readonly lend: (socket: HeldSocket) => void
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
      open: all.flatMap(({ socket, address }) =>
        socket === undefined ? [] : [{ ...socket.address, ...(address.udp && { udp: address.udp }) }],
      ),
      missing: all.filter(({ socket }) => socket === undefined).map(({ address, reason }) => ({ address, reason })),
    })
  }
  const bind = (wish: Wish): void => {
    const { host, port, udp } = wish.address
    const at = { host, port }
    if (udp === true) void bindDatagrams(at, 'listener', 'listener').then((one) => settle(wish, one))
    else settle(wish, bindSocket(at, 'listener', { calledAs: at }))
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
      for (const { lend } of wish.wanters.values()) lend(bound)
    }
    tell()
  }
  const drop = (key: string): void => {
    const wish = wishes.get(key)
    wishes.delete(key)
    wish?.retry?.cancel()
    wish?.socket?.close()
  }
  const leave = (seat: object, key: string): void => {
    const wish = wishes.get(key)
    if (wish?.wanters.delete(seat) !== true || wish.wanters.size > 0) return
    drop(key)
    tell()
  }
  const seat = (): DeskSeat => ({
    launched() {
      for (const { wanters } of wishes.values()) {
        const own = wanters.get(this)
        if (own !== undefined) own.old = true
      }
    },
    settled() {
      for (const [key, { wanters }] of Array.from(wishes)) if (wanters.get(this)?.old === true) leave(this, key)
    },
    want(address, lend) {
      const key = formatSocket(address)
      const known = wishes.get(key)
      const wish = known ?? { address, wanters: new Map(), socket: undefined, reason: '', retry: undefined }
      wish.wanters.set(this, { lend, old: false })
      if (wish.socket !== undefined) return lend(wish.socket)
      if (known !== undefined) return
      wishes.set(key, wish)
      bind(wish)
    },
    release(address) {
      leave(this, formatSocket(address))
    },
  })
  return {
    seat,
    close() {
      for (const key of Array.from(wishes.keys())) drop(key)
    },
  }
}
