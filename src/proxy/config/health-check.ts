/** xDS: HealthCheck. Times in ms. */
export interface HealthCheck {
  readonly probe: HttpProbe | GrpcProbe | TcpProbe
  /** > 0. */
  readonly timeoutMs: number
  /** > 0. */
  readonly intervalMs: number
  readonly initialJitterMs: number
  readonly intervalJitterMs: number
  /** Of the interval. */
  readonly intervalJitterPercent: number
  /** So many failures in a row until a healthy endpoint is taken for ill; a wrong answer is enough by itself. */
  readonly unhealthyThreshold: number
  /** So many good answers in a row until an ill one is taken for healthy; a new one needs a single. */
  readonly healthyThreshold: number
  /** Instead of the interval: while the cluster has had no call yet, for ill endpoints, right after a change. */
  readonly noTrafficIntervalMs: number
  readonly noTrafficHealthyIntervalMs: number
  readonly unhealthyIntervalMs: number
  readonly unhealthyEdgeIntervalMs: number
  readonly healthyEdgeIntervalMs: number
  /** Each check opens a connection of its own unless it is set. */
  readonly reuseConnection: boolean
}

/** Both ends belong to it. */
export interface StatusRange {
  readonly from: number
  readonly to: number
}

export interface HttpProbe {
  readonly kind: 'http'
  readonly protocol: 'http/1.1' | 'h2'
  readonly method: string
  /** Undefined: the endpoint's name, else the cluster's. */
  readonly host: string | undefined
  readonly path: string
  /** At least one. */
  readonly expected: readonly StatusRange[]
  /** Failures that count towards the threshold only. */
  readonly retriable: readonly StatusRange[]
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  /** The request's body. */
  readonly send: Buffer
  /** Must be found in the body, in this order; at most `limitBytes` of it are looked at. */
  readonly receive: readonly Buffer[]
  readonly limitBytes: number
}

/** `grpc.health.v1.Health/Check`. */
export interface GrpcProbe {
  readonly kind: 'grpc'
  readonly service: string
  /** Undefined: the endpoint's name, else the cluster's. */
  readonly authority: string | undefined
  readonly headers: readonly { readonly name: string; readonly value: string }[]
}

/** A connection; with `send` and `receive` a talk. */
export interface TcpProbe {
  readonly kind: 'tcp'
  readonly send: Buffer
  readonly receive: readonly Buffer[]
}
