import type { AppProtocol } from '../base/app-protocol.ts'
import type { Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import type { ProgramEvent } from './process-set.ts'
import type { ReadinessCheck } from './readiness-check.ts'
import type { ReadinessPace } from './readiness-probe.ts'
import type { RestartPolicy } from './restart-policy.ts'

/** One `--port`. */
export interface ProgramPort {
  /** Absent: the control plane makes one of protocol and number. */
  readonly name?: string
  /** What clients name. */
  readonly servicePort: number
  /** Where the program listens, on loopback. */
  readonly targetPort: number
  /** Absent: the control plane's default. */
  readonly protocol?: AppProtocol
}

/** One `--inbound`: where the sidecar takes the calls for a port. */
export interface InboundChoice {
  /** Name or number of the port; absent: the only one. */
  readonly port?: string
  readonly address: Address
}

/** What `weft run` was told. */
export interface AgentOptions {
  readonly service: string
  readonly namespace: string
  /** Absent: the service's name. */
  readonly serviceAccount?: string
  readonly ports: readonly ProgramPort[]
  readonly labels: Readonly<Record<string, string>>
  /** `auto` is `namespace` where that works, else `explicit`; `host`: by the rules of `weft capture install`. */
  readonly capture: 'auto' | 'namespace' | 'explicit' | 'host'
  readonly inbound: readonly InboundChoice[]
  /** Where this is: "region/zone/sub-zone"; absent: nobody says. */
  readonly locality?: string
  /** IP address under which other machines reach this one. */
  readonly advertise?: string
  /** An Envoy stands beside the program, of this file or found by itself; absent: Weft's own sidecar. */
  readonly envoy?: { readonly file?: string }
  /** Of the sidecar; absent: a free port on loopback. */
  readonly admin?: Address
  /** Joins through the Unix socket `agent.sock` in here, unless there is a token. */
  readonly dataDir: string
  /** A join token, as it was copied. */
  readonly tokenText?: string
  /** False: fail at once when the control plane cannot be reached. */
  readonly wait: boolean
  /** What makes the program ready; without checks each of its ports must answer. */
  readonly readiness: ReadinessPace & { readonly checks: readonly ReadinessCheck[] }
  /** When the program ends by itself. */
  readonly restart: RestartPolicy
  /** Processes that the sidecar is made of, at least 1. */
  readonly workers: number
  /** The program and its arguments, at least one. */
  readonly command: readonly [string, ...string[]]
  /** Version of this build, for people. */
  readonly version: string
}

/** What the agent works with. */
export interface AgentParts {
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  /** One-line errors and notices for the person at the terminal. */
  readonly say: (line: string) => void
  /** The environment the program inherits. */
  readonly env: Readonly<Record<string, string | undefined>>
  /**
   * Takes what the program and its sidecar write, and the program is a job of its own that reads nothing. Absent: the program has our own
   * input, output and job.
   */
  readonly output?: (from: 'stdout' | 'stderr', chunk: Buffer) => void
  /** Hears each time that the program is started, becomes ready, or is not ready any more. */
  readonly happened?: (event: ProgramEvent) => void
  /** Where SIGTERM and SIGINT come from: `process`. */
  readonly signals: Pick<NodeJS.EventEmitter, 'on' | 'off'>
  /** Absent: the sidecar of this build. A script for Node. */
  readonly sidecarScript?: string
  /** Flags of Node for the sidecar. */
  readonly sidecarFlags?: readonly string[]
}

/** The agent cannot go on; a sentence for the person at the terminal, and the exit status: 1 failed, 2 wrong usage. */
export interface Refused {
  readonly refused: string
  readonly status: 1 | 2
}
export const refused = (sentence: string, status: 1 | 2 = 1): Refused => ({ refused: sentence, status })
