import type { Problem } from '../../base/problem.ts'

/**
 * What stands in the JSON bodies of the HTTP API (Unix socket `api.sock` in the data directory, and the `--api` port).
 * Every error is an `ErrorReply` with a status of 400 (malformed), 401 (no token), 403 (foreign Host header), 404, 405, 409 (conflict),
 * 413 (over 10 MB), 422 (refused) or 503 (a proxy that does not answer).
 *
 *   GET    /healthz                                   "ok"
 *   GET    /metrics                                   Prometheus text
 *   GET    /v1/info                                   Info
 *   POST   /v1/apply?dryRun=true&waitMs=30000         YAML or JSON documents → ApplyResult; with waitMs (up to 1 h) when it is served
 *   POST   /v1/validate                               the same without the store's leave to write → ApplyResult
 *   GET    /v1/resources/KIND?namespace=NS&watch=true ResourceList; with watch: one JSON line a change
 *   GET    /v1/resources/KIND/NS/NAME                 a document with status ("-" as NS where a kind has no namespace)
 *   DELETE /v1/resources/KIND/NS/NAME
 *   GET    /v1/proxies                                ProxyState[]
 *   GET    /v1/proxies/NS/NAME/config?what=...        what the sidecar itself says it runs
 *   POST   /v1/proxies/NS/NAME/explain                what would happen to a request there, and why (proxy/explain/request.ts → proxy/explain/explain.ts)
 *   POST   /v1/proxies/NS/NAME/probe                  one GET (or raw connection) from there, really sent (proxy/probe.ts)
 *   POST   /v1/proxies/NS/NAME/upgrade                { finishMs? }: a new sidecar process takes over → { before, after, tookMs, workers? }
 *   POST   /v1/tokens                                 TokenRequest → TokenResult
 *   POST   /v1/backup                                 over the Unix socket only: writes a backup into the data directory → BackupResult
 * KIND is singular, plural or a short name, in any case.
 */
export interface Info {
  readonly version: string
  readonly trustDomain: string
  /** host:port of ADS and the agent service. */
  readonly xdsAddress: string
  readonly apiAddress: string
  /** "sha256:…" of the root certificate's DER. */
  readonly rootHash: string
  /** Its wall clock, Unix ms: certificates and tokens go by it. */
  readonly timeMs: number
}

export interface ApplyResult {
  readonly results: readonly {
    readonly resource: string
    readonly action: 'created' | 'configured' | 'unchanged' | 'valid'
  }[]
  /** With an error among them nothing was written. */
  readonly problems: readonly Problem[]
  /** Of the store, with these documents in it; absent: nothing was to be written. */
  readonly revision?: number
  /** Present when the caller waited for it. */
  readonly served?: Served
}

/** Who serves a revision: of all proxies for which it changed something. */
export interface Served {
  readonly revision: number
  /** `<namespace>/<workload>`, sorted. */
  readonly served: readonly string[]
  /** Refused parts, with the proxy's own reason: there the last good configuration stays. */
  readonly refused: readonly {
    readonly proxy: string
    readonly type: string
    readonly name: string
    readonly reason: string
  }[]
  /** Had not acknowledged it when the time was over. */
  readonly laggards: readonly {
    readonly proxy: string
    readonly connected: boolean
    /** "RDS default/web/80". */
    readonly waitingFor: readonly string[]
  }[]
}

export interface ResourceList {
  readonly items: readonly unknown[]
  readonly revision: number
}

/** One line of a watch, as JSON. The first lines are the resources that are there. `resource` is the whole document, with status. */
export type WatchLine =
  | { readonly kind: 'put'; readonly resource: unknown }
  | { readonly kind: 'delete'; readonly resource: string }

/** The body of every answer that is not 2xx. */
export interface ErrorReply {
  readonly error: string
  readonly problems?: readonly Problem[]
}

/** What a sidecar can be asked about itself. */
export type ConfigQuestion = 'config' | 'clusters' | 'stats' | 'certs'

/** Sync state of one connected (or lately connected) proxy, from the ACK log. */
export interface ProxyState {
  /** `<namespace>/<workload>`. */
  readonly proxy: string
  readonly connected: boolean
  /** ms since it connected, or since it went. */
  readonly forMs: number
  /** Of the store: everything up to here it has acknowledged; 0: not known yet. */
  readonly revision: number
  /** Processes that it is made of; absent: one. */
  readonly workers?: number
  readonly types: readonly {
    /** "LDS", "RDS", "CDS", "EDS", "SDS", "NDS". */
    readonly type: string
    readonly resources: number
    /** Everything that was sent has been acknowledged. */
    readonly synced: boolean
    /** Resources whose last version was refused, with the proxy's own reason. */
    readonly rejected: readonly { readonly name: string; readonly reason: string }[]
  }[]
  /** Whose it is; absent: Weft's own. */
  readonly software?: 'envoy'
  /** What policies ask for and this proxy does not do, with the resource and field that asks; absent: it does all. */
  readonly notEnforced?: readonly { readonly what: string; readonly resource: string; readonly field: string }[]
}

/** The CLI moves it to where it is wanted: it holds the keys of the certificate authority, which never go over the network. */
export interface BackupResult {
  /** Name of a file in the data directory, 0600. */
  readonly file: string
}

export interface TokenRequest {
  readonly ttlMs?: number
  readonly namespace?: string
  readonly serviceAccount?: string
}
export interface TokenResult {
  readonly token: string
  readonly expiresMs: number
}
