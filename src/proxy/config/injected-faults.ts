import type { HeaderMatch } from './matching.ts'

/** Failures made on purpose: first the delay, then the abort or a slow reply, each by its own chance; shares in [0, 1]. xDS: HTTPFault. */
export interface InjectedFaults {
  readonly delay?: { readonly ms: number; readonly share: number }
  /** Absent status of gRPC: what the other means there. */
  readonly abort?: { readonly status: number; readonly grpcStatus?: number; readonly share: number }
  /** Of the reply's body; at least 1. */
  readonly bandwidth?: { readonly bytesPerSecond: number; readonly share: number }
  /** Only calls for which all of these hold; empty: any. */
  readonly headers: readonly HeaderMatch[]
}
