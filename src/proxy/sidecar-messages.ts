import type { Address } from '../base/address.ts'
import type { Figures } from '../base/figures.ts'
import type { LogLevel } from '../base/log.ts'

/** A workload's own certificate and key, PEM. Lives in memory only: the agent asked for it, the sidecar uses it. */
export interface IdentityMaterial {
  readonly spiffeId: string
  readonly keyPem: string
  readonly chainPem: string
  /** Trusts the control plane at start; later bundles come by SDS. */
  readonly trustBundlePem: string
  readonly notAfterMs: number
}

/** A socket that the agent is asked for: TCP that listens, or UDP. */
export interface WantedSocket extends Address {
  readonly udp?: true
}

/** Of several processes that are one proxy: which of them, how many there are, and its line on the board of connections (undefined: none). */
export interface WorkerPlace {
  /** From 0. */
  readonly index: number
  readonly count: number
  readonly row: number | undefined
  /** All of them have been ready once. */
  readonly allReady: boolean
}

/** What workers tell each other of themselves, to answer as one. */
export type WorkerPart = 'snapshot' | 'clusters' | 'config'

/** What an agent tells its sidecar over Node's IPC channel. A closed channel means that the agent is gone: the sidecar exits. */
export type ToSidecar =
  /**
   * A listening socket comes along as the message's handle; sent before `start`. `also`: it serves the listener of that address too.
   * `caught`: connections were redirected to it; those that were for one of the ports are served by the listener of that address, others are
   * passed on to where they were going.
   */
  | {
      readonly kind: 'listener'
      readonly address: Address
      readonly also?: Address
      readonly caught?: readonly { readonly port: number; readonly address: Address }[]
    }
  /**
   * A bound UDP socket comes along, as Node's own handle. `address`: it is the one that was asked for. `relay`: it is for the program's
   * other datagrams, which come in frames from this port of the same host. Neither: for DNS. The last two are sent before `start`, or
   * before `take-over`.
   */
  | { readonly kind: 'datagrams'; readonly family: 4 | 6; readonly relay?: number; readonly address?: Address }
  | {
      readonly kind: 'start'
      readonly nodeId: string
      readonly xdsAddress: string
      readonly identity: IdentityMaterial
      readonly workload: string
      readonly namespace: string
      readonly service: string
      /** Service ports (`<namespace>/<service>/<port>`) that are likely to be called: instances before this one did. */
      readonly used?: readonly string[]
      /** Which of the listeners is the admin port; absent: none. */
      readonly adminAddress?: Address
      /** Which of the listeners takes DNS over TCP; absent: the program is not captured and asks elsewhere. */
      readonly dnsAddress?: Address
      /** The program's ports are in a network namespace of its own: connections to them are asked of the agent. */
      readonly connectInside?: boolean
      /** Sockets of listeners are asked of the agent as listeners come and go; absent: they have been handed over. */
      readonly socketsOnDemand?: boolean
      readonly logLevel: LogLevel
      /** Absent: it is the only process. Otherwise its configuration comes by `resources`, and limits are divided. */
      readonly workers?: WorkerPlace
      /**
       * Another sidecar serves still: get ready with all that its program calls (these service ports), say `warm`, and wait for the
       * sockets and `take-over`. Absent: serve as soon as there is a configuration.
       */
      readonly standBy?: { readonly demanded: readonly string[] }
    }
  /** Instead of `start`: a bare proxy, from a bootstrap that has been read and found good. Its sockets are asked of the agent. */
  | {
      readonly kind: 'start-bare'
      readonly bootstrap: unknown
      readonly env: Readonly<Record<string, string | undefined>>
      readonly adminAddress?: Address
      readonly socketsOnDemand: true
      readonly logLevel: LogLevel
      readonly workers?: WorkerPlace
      readonly standBy?: { readonly demanded: readonly string[] }
    }
  /** All sockets have been sent: serve. `figures`: what the sidecar before has counted. */
  | { readonly kind: 'take-over'; readonly figures: Figures }
  /** More of what the sidecar before has counted, while it finishes. */
  | { readonly kind: 'figures'; readonly figures: Figures }
  | { readonly kind: 'identity'; readonly identity: IdentityMaterial }
  /** The program's process, which must not outlive the agent; absent: it does not run now, or somebody else sees to it. */
  | { readonly kind: 'program'; readonly pid: number | undefined }
  /** The answer to `connect`: the open connection comes along as Node's own handle, or `error` says why there is none. */
  | { readonly kind: 'connected'; readonly id: number; readonly error?: string }
  | {
      readonly kind: 'ask'
      readonly id: number
      /**
       * The last four are for the agent alone: which service ports the program calls; what was counted and not told yet; what another
       * worker wants to know (`detail`: a `WorkerPart`); answered when no call to the program is under way any more, and callers have been
       * told to make none.
       */
      readonly what:
        | 'config'
        | 'clusters'
        | 'stats'
        | 'certs'
        | 'explain'
        | 'probe'
        | 'demanded'
        | 'figures'
        | 'part'
        | 'drain-inbound'
      readonly detail?: unknown
    }
  /** What the other workers said; those that are silent are left out. `controlPlane`: the state of the stream that all share. */
  | {
      readonly kind: 'gathered'
      readonly id: number
      readonly parts: readonly { readonly worker: number; readonly json: unknown }[]
      readonly controlPlane: unknown
    }
  /** Every worker is ready for the first time: the proxy is. */
  | { readonly kind: 'all-ready' }
  /** A part of the configuration, as the bytes (base64) of a DeltaDiscoveryResponse; `type` is its short name. */
  | { readonly kind: 'resources'; readonly id: number; readonly type: string; readonly response: string }
  /** A connection that another worker has accepted for this listener comes along, as Node's own handle. */
  | { readonly kind: 'connection'; readonly address: Address }
  /**
   * Stop accepting, let calls in flight finish for at most `deadlineMs`, then exit 0. `patient`: another sidecar has taken over. Said
   * again it can only shorten.
   */
  | { readonly kind: 'drain'; readonly deadlineMs: number; readonly patient?: boolean }

/** What a sidecar tells its agent. */
export type FromSidecar =
  /** Listeners serve their first whole configuration. Said once. */
  | { readonly kind: 'ready' }
  /** Standing by, with a whole configuration. */
  | { readonly kind: 'warm' }
  /** What was counted since the last time, while it is drained patiently. */
  | { readonly kind: 'figures'; readonly figures: Figures }
  | { readonly kind: 'answer'; readonly id: number; readonly json: unknown }
  /** Asks for a socket: a `listener` (for UDP a `datagrams`) message brings it, when it can be had. */
  | { readonly kind: 'listen'; readonly address: WantedSocket }
  /** No listener has this socket any more, or waits for it. */
  | { readonly kind: 'release'; readonly address: WantedSocket }
  /** Whether the program's datagrams that are not DNS are to be taken; as often as that changes, first before `ready`. */
  | { readonly kind: 'datagrams'; readonly allow: boolean }
  /** The names wanted of a type from now on, to whoever holds the stream of configuration. */
  | { readonly kind: 'subscribe'; readonly type: string; readonly names: readonly string[] }
  /** What came of `resources`: problems (none: all is in force), and the names of what was refused. */
  | {
      readonly kind: 'received'
      readonly id: number
      readonly problems: readonly string[]
      readonly refused: readonly string[]
    }
  /** Certificates, PEM, that the control plane may be known by from now on. */
  | { readonly kind: 'trust'; readonly pem: string }
  /** Asks all other workers for a part of what they know; this worker's own comes along, for when it is gone. */
  | { readonly kind: 'gather'; readonly id: number; readonly what: WorkerPart; readonly own: unknown }
  /** A connection for the worker with this line of the board, which has fewer; it comes along as Node's own handle. */
  | { readonly kind: 'give'; readonly address: Address; readonly row: number }
  /** Asks for a connection to the program's port. */
  | { readonly kind: 'connect'; readonly id: number; readonly port: number }
  /** For the person at the terminal; the process exits right after. */
  | { readonly kind: 'failed'; readonly sentence: string }
