/** So long every subject has load before it is measured, s: V8 compiles the more for about that long, a server runs for days. */
export const warmUpSeconds = 8

/** What every proxy of a comparison has to do. */
export interface Shape {
  /** Two proxies with mTLS between them instead of one in plain text. */
  readonly mtls: boolean
  /** Of the backend, on loopback. */
  readonly backendPort: number
  /** For this subject's files; exists. */
  readonly dir: string
  readonly certificates: Certificates
}

/** Files, PEM: one authority, and a pair of leaves with SPIFFE IDs. */
export interface Certificates {
  readonly ca: string
  readonly client: Leaf
  readonly server: Leaf
}
export interface Leaf {
  readonly certificate: string
  readonly key: string
  /** Certificate and key in one file. */
  readonly both: string
  readonly spiffeId: string
}

/** A proxy, or two, ready for load. */
export interface Started {
  readonly port: number
  /** The request target that reaches the backend: origin form unless the proxy wants the absolute one. */
  readonly target: string
  /** One per proxy process, from the client on. */
  readonly proxies: readonly { readonly role: string; readonly pids: readonly number[] }[]
  stop(): Promise<void>
}

/** One competitor. */
export interface Subject {
  readonly name: string
  /** Its version, or why it cannot take part and how to install it. */
  find(): { readonly version: string } | { readonly missing: string }
  /** What is switched on, in a line. */
  readonly features: string
  start(shape: Shape): Promise<Started>
}

/** The host that every request names. */
export const host = 'web'
