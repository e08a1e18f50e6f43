import type { Clock } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import type { CertificateAuthority } from '../../ca/authority.ts'
import type { JoinTokens } from '../../ca/join-token.ts'
import type { Store } from '../collect/store.ts'

/** Whether clients may be sent to a workload now. */
export type WorkloadState = 'ready' | 'not-ready' | 'draining'

/** Where the sessions report; `workload` is `<namespace>/<name>`. Setting what is set already is silent. */
export interface WorkloadHealth {
  set(workload: string, state: WorkloadState): void
  /** The workload is gone. */
  forget(workload: string): void
}

/** Who calls, as far as the connection proves it. */
export interface AgentCaller {
  readonly spiffeId?: string
  /** Came through the Unix socket of this user: any identity is its to take. */
  readonly local: boolean
}

/** An expected failure: a gRPC status code and a sentence for the person at the agent. */
export interface AgentRefusal {
  readonly code: number
  readonly details: string
}

export interface AgentServiceParts {
  readonly store: Store
  readonly health: WorkloadHealth
  readonly ca: CertificateAuthority
  readonly tokens: JoinTokens
  /** Resolves once no client may send to the workload any more, or at the deadline: with the proxies that did not acknowledge. */
  readonly removalAcked: (workload: string, deadlineMs: number) => Promise<readonly string[]>
  /** What instances of the service (`<namespace>/<name>`) have called: names of service ports. */
  readonly usedBy: (service: string) => readonly string[]
  /** host:port of ADS over mTLS, as workloads reach it. */
  readonly xdsAddress: () => string
  readonly clock: Clock
  readonly log: Log
  /** Of a session; default 4 s. The agent beats three times in it. */
  readonly leaseMs?: number
  /** A broken session may come back within this; default 2 s. */
  readonly graceMs?: number
  /** After a start every workload found in the store counts as alive for this; default 10 s, since all agents come back at once. */
  readonly restartTermMs?: number
}

/** gRPC codes that agents are told. Source: gRPC, "Status codes and their use". */
export const codes = { invalidArgument: 3, permissionDenied: 7, unauthenticated: 16, unavailable: 14 } as const
