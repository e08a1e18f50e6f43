import type { Server, Socket } from 'node:net'
import type { Clock } from '../../base/clock.ts'

/** Whatever became of an accepted socket: it can be asked to finish, or be cut. */
export interface Served {
  /** No new work; ends by itself when the work in flight is done. `patient`: without a hurry, so that nobody sees a break. */
  drain(patient: boolean): void
  destroy(): void
}

/** A listening socket at work. */
export interface ListenerHandle {
  /** Connections that are open. */
  readonly open: number
  /**
   * Stops accepting, asks every connection to finish, and cuts what is left after `deadlineMs`. Resolves when none is open; further
   * calls share the first one's end. `patient`: somebody else accepts from now on, and there is time.
   */
  drain(deadlineMs: number, patient?: boolean): Promise<void>
  /** Cuts everything now. */
  close(): void
}

/** The same where connections are taken. */
export interface ConnectionListenerHandle extends ListenerHandle {
  /** A connection that another listener has accepted is this one's from now on; `from`: its account there. */
  take(socket: Socket, from: Tracked, accepted: ListenParts['accepted']): void
}

/** What happens with accepted sockets. */
export interface ListenParts {
  /** The socket is paused and has an error listener. What it becomes is told through `track`. */
  readonly accepted: (socket: Socket, connection: Tracked) => void
  /** The listening socket itself failed. */
  readonly failed: (error: Error) => void
  readonly clock: Clock
  /** Absent: for any number. */
  readonly room?: ListenerRoom
}

/** How many connections there may be, over all listeners. */
export interface ListenerRoom {
  /** What becomes of a connection, asked once for each. */
  readonly admit: () => Admission
  /** One that was asked for is closed. */
  readonly left: () => void
  /** One was refused: reset, unread. */
  readonly refused: () => void
}

/** `shed`: served, but only to be told that there is no room. */
export type Admission = 'served' | 'shed' | 'refused'

/** The account of one connection. */
export interface Tracked {
  /** The socket is served by this now; replaces what was said before. */
  become(served: Served): void
  /** The listener is draining: finish soon. */
  readonly draining: 'now' | 'patiently' | undefined
  /** There is no room for its calls. */
  readonly shed: boolean
}

/**
 * Each way may end before the other (TCP tunnels). Node reads these three from the server at each accept; its types know them only
 * as options of `createServer`, and a server that was handed over was created by somebody else.
 */
const prepare = (server: Server): void =>
  void Object.assign(server, { allowHalfOpen: true, noDelay: true, pauseOnConnect: true })

/** Accepts on a server that listens already, handed over or our own; undefined: only what `take` gives it. */
export function listenOn(
  server: Server | undefined,
  { accepted, failed, clock, room }: ListenParts,
): ConnectionListenerHandle {
  const open = new Set<Connection>()
  let draining: Promise<void> | undefined
  let patiently = false
  let emptied: (() => void) | undefined

  class Connection implements Tracked {
    served: Served
    readonly shed: boolean
    constructor(socket: Socket, shed: boolean) {
      this.shed = shed
      // Who it is, and what it wants, may be on its way.
      this.served = { drain: (patient) => void (patient || socket.destroy()), destroy: () => void socket.destroy() }
    }
    get draining(): 'now' | 'patiently' | undefined {
      return draining === undefined ? undefined : patiently ? 'patiently' : 'now'
    }
    become(served: Served): void {
      this.served = served
      if (draining !== undefined) served.drain(patiently)
    }
  }

  if (server !== undefined) prepare(server)
  const onConnection = (socket: Socket): void => {
    socket.on('error', ignore)
    const admission = room?.admit()
    if (room !== undefined) socket.on('close', room.left)
    if (admission === 'refused') {
      room?.refused()
      return void socket.resetAndDestroy()
    }
    accepted(socket, enter(socket, admission === 'shed'))
  }
  const enter = (socket: Socket, shed: boolean): Connection => {
    const connection = new Connection(socket, shed)
    open.add(connection)
    socket.on('close', () => {
      open.delete(connection)
      if (open.size === 0) emptied?.()
    })
    return connection
  }
  server?.on('connection', onConnection).on('error', failed)

  const close = (): void => {
    server?.close(ignore)
    for (const { served } of open) served.destroy()
  }
  return {
    get open() {
      return open.size
    },
    drain(deadlineMs, patient = false) {
      patiently = patient
      draining ??= new Promise<void>((resolve) => {
        server?.close(ignore)
        const timer = clock.after(deadlineMs, () => {
          for (const { served } of open) served.destroy()
        })
        emptied = () => {
          timer.cancel()
          resolve()
        }
        // `draining` is not set yet while this runs.
        queueMicrotask(() => {
          for (const { served } of open) served.drain(patient)
          if (open.size === 0) emptied?.()
        })
      })
      return draining
    },
    take(socket, from, taken) {
      if (draining !== undefined) return void socket.destroy()
      const connection = enter(socket, from.shed)
      from.become({ drain: (patient) => connection.served.drain(patient), destroy: () => connection.served.destroy() })
      taken(socket, connection)
    },
    close,
  }
}

const ignore = (): void => {}
