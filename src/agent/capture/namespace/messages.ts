import type { ReadinessCheck } from '../../readiness-check.ts'

/** What the agent tells the helper that lives inside the program's namespaces. A closed channel means that the agent is gone. */
export type ToHelper =
  | {
      readonly kind: 'run'
      readonly command: readonly [string, ...string[]]
      readonly env: Readonly<Record<string, string | undefined>>
    }
  | { readonly kind: 'signal'; readonly name: NodeJS.Signals }
  /** Datagrams that are not DNS: to be carried, or refused as they are sent. */
  | { readonly kind: 'datagrams'; readonly allow: boolean }
  /** Opens a connection to a port of the program. */
  | { readonly kind: 'connect'; readonly id: number; readonly port: number }
  /** Is the program ready? A command gets `env`. */
  | {
      readonly kind: 'check'
      readonly id: number
      readonly check: ReadinessCheck
      readonly timeoutMs: number
      readonly env: Readonly<Record<string, string | undefined>>
    }

/** What the helper tells the agent. Node's own handle of a socket comes along where it is said. */
export type FromHelper =
  /** Bound inside, nobody accepts on it yet; the handle comes along. */
  | { readonly kind: 'socket'; readonly which: CaptureSocket }
  /** All sockets have been handed out, the rules are in force. `uncarried`: why datagrams that are not DNS can only be refused here. */
  | { readonly kind: 'ready'; readonly uncarried?: string }
  /** A sentence for the person at the terminal; the helper ends. */
  | { readonly kind: 'failed'; readonly sentence: string }
  /** The open connection comes along, or `error` says why there is none. */
  | { readonly kind: 'connected'; readonly id: number; readonly error?: string }
  /** `unready`: why not; absent: it is. */
  | { readonly kind: 'checked'; readonly id: number; readonly unready: string | undefined }
  /** The program has ended, with this exit status or 128 + n after signal n. */
  | { readonly kind: 'ended'; readonly status: number }

/** The sockets that captured traffic arrives on. */
export type CaptureSocket = 'outbound' | 'dns-tcp' | 'dns-udp4' | 'dns-udp6' | 'carrier'

/**
 * Ports inside, where no other sidecar is: the ones that users of other meshes know; and of our own, where datagrams arrive, and the two
 * ends between helper and sidecar.
 */
export const capturePorts = {
  outbound: 15_001,
  /** Of rules for a whole machine only. */
  inbound: 15_006,
  dns: 15_053,
  datagrams: 15_054,
  relay: 15_055,
  carrier: 15_056,
} as const

/** Firewall marks of datagrams that were caught, and of the answers that are given to the program. */
export const caughtMark = 0x77_65_66_01
export const answeredMark = 0x77_65_66_02

/** The argument by which the helper hears how it was put inside: with a user namespace of its own, or by root without one. */
export type NamespaceKind = 'user' | 'root'
