import { Server, type Socket } from 'node:net'
import { formatAddress, type Address } from '../base/address.ts'
import type { WantedSocket } from './sidecar-messages.ts'
import type { Spread } from './spread.ts'

/**
 * Listening sockets that the agent made and handed over. Node accepts on them from the moment they arrive, so whoever comes before the
 * configuration is kept until it is there.
 */
export interface HandedOver {
  /** What accepts on `also` accepts on this one as well, once both are there. */
  add(address: Address, server: Server, also?: Address): void
  /** Each of its connections goes to whatever accepts on the address that is chosen for it, or else to `others`. */
  addCaught(server: Server, choose: (socket: Socket) => Address | undefined, others: Server): void
  /**
   * What accepts on this address; rejects when no such socket was handed over. It may be closed and taken again as listeners come and
   * go: the socket itself stays open.
   */
  take(address: Address): Promise<Server>
  /** The same for a socket that may have to be asked for, and is given back once nobody wants it; an abort ends the wait. */
  order(address: Address, signal: AbortSignal): Promise<Server>
  /** A connection to this address that another process has accepted; waits until the address is here. */
  receive(address: Address, socket: Socket): void
  /** Asked about every connection from now on: true means that it is somebody else's. */
  spreadBy(spread: Pick<Spread, 'accepted' | 'given'> | undefined): void
  /** Accepts no more. Connections wait in the kernel for the next process that the agent hands the socket to. */
  close(): void
}

/** Connections kept until a listener is there; more are closed. */
const maxEarly = 1024

interface Held {
  readonly server: Server
  readonly early: Set<Socket>
  /** Undefined: nobody has taken it yet. "gone": its listener was removed. */
  taker: Server | 'gone' | undefined
}

/** Whoever owns the sockets. */
export interface SocketOwner {
  /** Asks for one, which comes by `HandedOver.add` when it can be had. */
  want(address: WantedSocket): void
  /** It is not wanted any more. */
  release(address: WantedSocket): void
}

/** Empty. */
export function createHandedOver(owner: SocketOwner): HandedOver {
  const held = new Map<string, Held>()
  const waiting = new Map<string, (one: Held) => void>()
  const homeless = new Map<string, Socket[]>()
  let closed = false
  let spread: Pick<Spread, 'accepted' | 'given'> | undefined
  const isElsewhere = (address: Address, socket: Socket): boolean => spread?.accepted(address, socket) === true
  return {
    add(address, server, also) {
      const key = formatAddress(address)
      held.get(key)?.server.close()
      const one = hold(server, (socket) => isElsewhere(address, socket))
      held.set(key, one)
      waiting.get(key)?.(one)
      for (const socket of homeless.get(key) ?? []) receive(one, socket)
      homeless.delete(key)
      if (also === undefined) return
      // Its connections are those of the other one, which was handed over before.
      one.taker = held.get(formatAddress(also))?.server ?? 'gone'
    },
    addCaught(server, choose, others) {
      const key = `caught ${held.size}`
      const one: Held = { server, early: new Set(), taker: others }
      held.set(key, one)
      accept(server, (socket) => {
        const chosen = choose(socket)
        const there = chosen && held.get(formatAddress(chosen))
        if (chosen === undefined || there === undefined) pass(socket, others)
        else if (!isElsewhere(chosen, socket)) receive(there, socket)
      })
    },
    take(address) {
      const one = held.get(formatAddress(address))
      return one === undefined
        ? Promise.reject(new Error(`no socket was handed over for ${formatAddress(address)}`))
        : Promise.resolve(handTo(one))
    },
    order(address, signal) {
      const key = formatAddress(address)
      const giveBack = (one: Held): void => {
        if (held.get(key) !== one) return
        held.delete(key)
        one.server.close(ignore)
        owner.release(address)
      }
      const there = held.get(key)
      if (there !== undefined) return Promise.resolve(handTo(there, giveBack))
      owner.want(address)
      return new Promise((resolve, reject) => {
        const abandoned = (): void => {
          waiting.delete(key)
          owner.release(address)
          reject(new Error(`nobody waits for ${key} any more`))
        }
        signal.addEventListener('abort', abandoned, { once: true })
        waiting.set(key, (one) => {
          waiting.delete(key)
          signal.removeEventListener('abort', abandoned)
          resolve(handTo(one, giveBack))
        })
      })
    },
    receive(address, socket) {
      const key = formatAddress(address)
      if (spread?.given(address, socket) === true) return
      const one = held.get(key)
      if (one !== undefined) return receive(one, socket)
      const early = homeless.get(key) ?? []
      if (closed || early.length >= maxEarly) return void socket.destroy()
      homeless.set(key, [...early, socket])
    },
    spreadBy(by) {
      spread = by
    },
    close() {
      closed = true
      for (const socket of [...homeless.values()].flat()) socket.destroy()
      for (const { server, early } of held.values()) {
        server.close(ignore)
        for (const socket of early) socket.destroy()
      }
      held.clear()
    },
  }
}

function hold(server: Server, isElsewhere: (socket: Socket) => boolean): Held {
  const one: Held = { server, early: new Set(), taker: undefined }
  accept(server, (socket) => void (isElsewhere(socket) || receive(one, socket)))
  return one
}

function accept(server: Server, connected: (socket: Socket) => void): void {
  // Read by Node at each accept: a connection may end one way before the other, and nothing is read before somebody wants it.
  Object.assign(server, { allowHalfOpen: true, noDelay: true, pauseOnConnect: true })
  server.on('error', ignore)
  server.on('connection', connected)
}

function receive(one: Held, socket: Socket): void {
  if (one.taker instanceof Server) return pass(socket, one.taker)
  if (one.taker === 'gone' || one.early.size >= maxEarly) return void socket.destroy()
  one.early.add(socket)
  socket.on('error', ignore)
  socket.once('close', () => one.early.delete(socket))
}

/** A server that never listens itself: it says what the held one accepts. */
function handTo(one: Held, closedByTaker: (one: Held) => void = ignore): Server {
  const taker = new Server()
  taker.close = (closed) => {
    if (one.taker === taker) {
      one.taker = 'gone'
      closedByTaker(one)
    }
    closed?.()
    return taker
  }
  one.taker = taker
  // After whoever takes it has begun to listen for connections.
  setImmediate(() => {
    for (const socket of one.early) {
      one.early.delete(socket)
      if (!socket.destroyed) pass(socket, taker)
    }
  })
  return taker
}

/** Paused still if the taker wants it so (an option of `net.Server` that its types know only in `createServer`). */
function pass(socket: Socket, taker: Server & { readonly pauseOnConnect?: boolean }): void {
  taker.emit('connection', socket)
  if (taker.pauseOnConnect !== true) socket.resume()
}

const ignore = (): void => {}
