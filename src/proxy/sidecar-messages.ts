import type { Address } from '../base/address.ts'
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

/** What an agent tells its sidecar over Node's IPC channel. A closed channel means that the agent is gone: the sidecar exits. */
export type ToSidecar =
  /** A listening socket comes along as the message's handle; sent before `start`. `also`: it serves the listener of that address too. */
  | { readonly kind: 'listener'; readonly address: Address; readonly also?: Address }
  /** A bound UDP socket for DNS comes along, as Node's own handle; sent before `start`. */
  | { readonly kind: 'datagrams'; readonly family: 4 | 6 }
  | {
      readonly kind: 'start'
      readonly nodeId: string
      readonly xdsAddress: string
      readonly identity: IdentityMaterial
      readonly workload: string
      readonly namespace: string
      readonly service: string
      /** Which of the listeners is the admin port; absent: none. */
      readonly adminAddress?: Address
      /** Which of the listeners takes DNS over TCP; absent: the program is not captured and asks elsewhere. */
      readonly dnsAddress?: Address
      /** The program's ports are in a network namespace of its own: connections to them are asked of the agent. */
      readonly connectInside?: boolean
      readonly logLevel: LogLevel
    }
  | { readonly kind: 'identity'; readonly identity: IdentityMaterial }
  /** The program's process, which must not outlive the agent; absent: it does not run now, or somebody else sees to it. */
  | { readonly kind: 'program'; readonly pid: number | undefined }
  /** The answer to `connect`: the open connection comes along as Node's own handle, or `error` says why there is none. */
  | { readonly kind: 'connected'; readonly id: number; readonly error?: string }
  | {
      readonly kind: 'ask'
      readonly id: number
      readonly what: 'config' | 'clusters' | 'stats' | 'certs' | 'explain'
      readonly detail?: unknown
    }
  /** Stop accepting, let calls in flight finish for at most `deadlineMs`, then exit 0. */
  | { readonly kind: 'drain'; readonly deadlineMs: number }

/** What a sidecar tells its agent. */
export type FromSidecar =
  /** Listeners serve their first whole configuration. Said once. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly id: number; readonly json: unknown }
  /** Asks for a connection to the program's port. */
  | { readonly kind: 'connect'; readonly id: number; readonly port: number }
  /** For the person at the terminal; the process exits right after. */
  | { readonly kind: 'failed'; readonly sentence: string }
