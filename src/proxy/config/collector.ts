/** Where what this proxy tells of its work is taken: a cluster, and how it is spoken to. xDS: GrpcService, HttpService. */
export interface Collector {
  readonly cluster: string
  readonly protocol: 'grpc' | 'http'
  readonly authority: string
  readonly path: string
  /** For one export, or for a stream to be there, ms. */
  readonly timeoutMs: number
  /** Besides those of the protocol; names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[]
}
