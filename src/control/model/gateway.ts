import type { Origin } from './origin.ts'
import type { Backend, HeaderEdits, RouteRule } from './route.ts'

/** Where requests from outside come in. What cannot be served is left out. */
export interface Gateway {
  readonly namespace: string
  readonly name: string
  /** IP addresses that every instance binds; empty: each its own. */
  readonly addresses: readonly string[]
  /** Of `Model.certificates`: shown to backends that ask for one. */
  readonly clientCertificate?: string
  /** Those that can be served, in the order written. */
  readonly listeners: readonly GatewayListener[]
  /** The same for those that take bytes. */
  readonly streams: readonly StreamListener[]
  /** Those that take the mesh's own calls to hosts outside. */
  readonly mesh: readonly MeshListener[]
  /** Of every listener, by name: what the status says of it. */
  readonly attachments: ReadonlyMap<string, Attachments>
  /** `<namespace>/<name>` of the ListenerSets of which at least one listener can be served. */
  readonly listenerSets: readonly string[]
  readonly origin: Origin
}

/** Takes mTLS by members of the mesh, for the ExternalServices that name the Gateway (`External.egress`). */
export interface MeshListener {
  readonly name: string
  readonly port: number
  readonly origin: Origin
}

/** A listener for requests. Several may share a port: they are told apart by the host, for HTTPS by the TLS server name. */
export interface GatewayListener {
  /** Of a ListenerSet: `<namespace>/<set>/<name>`. */
  readonly name: string
  readonly port: number
  readonly protocol: 'http' | 'https'
  /** "shop.example", "*.shop.example"; "*": every host. */
  readonly hostname: string
  /** Of `Model.certificates`; HTTPS has at least one, HTTP none. */
  readonly certificates: readonly string[]
  /** Absent: clients need show nothing. */
  readonly clients?: ClientValidation
  /** Within `hostname`, each at most once; a host of none of them is answered with 404. */
  readonly hosts: readonly GatewayHost[]
  readonly origin: Origin
}

/** What clients must show where TLS ends. */
export interface ClientValidation {
  /** Authorities of which one must vouch for a client, PEM. */
  readonly trustPem: string
  /** `insecure-fallback`: who shows nothing, or nothing that is good, comes in all the same, as nobody. */
  readonly mode: 'valid-only' | 'insecure-fallback'
  readonly origin: Origin
}

/** A listener for bytes or datagrams. Several of TLS may share a port, with those for HTTPS too: they are told apart by the TLS server name. */
export interface StreamListener {
  readonly name: string
  readonly port: number
  readonly protocol: 'tls' | 'tcp' | 'udp'
  /** As in `GatewayListener.hostname`; "*" for TCP and UDP. */
  readonly hostname: string
  /** Of `Model.certificates`: TLS ends here with these. Empty: it passes through, or there is none. */
  readonly certificates: readonly string[]
  /** Absent: clients need show nothing. */
  readonly clients?: ClientValidation
  /** Within `hostname`, each at most once; what none is for is closed. */
  readonly hosts: readonly StreamHost[]
  readonly origin: Origin
}

/** Where the bytes go that come for a TLS server name; "*": whatever it is. */
export interface StreamHost {
  readonly hostname: string
  readonly split: StreamSplit
}

/** A connection, or all datagrams of one source, goes to one of the backends, by weight. */
export interface StreamSplit {
  /** "default/mail/rule-0". */
  readonly name: string
  /** Those with weight 0 are left out; empty: everything is closed. One without a service closes its share. */
  readonly backends: readonly StreamBackend[]
  readonly origin: Origin
}

export type StreamBackend = Omit<Backend, keyof HeaderEdits | 'rewrite' | 'redirect'>

export interface GatewayHost {
  /** As in `GatewayListener.hostname`; the narrowest that covers a request's host decides. */
  readonly hostname: string
  /** Ordered by precedence, first match wins. */
  readonly rules: readonly RouteRule[]
}

export interface Attachments {
  /** Kinds of route that may attach. */
  readonly kinds: readonly string[]
  /** How many routes have. */
  readonly routes: number
}

/** A certificate with its key, PEM; leaf first. */
export interface Certificate {
  readonly chainPem: string
  readonly keyPem: string
  readonly origin: Origin
}
