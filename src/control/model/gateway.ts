import type { Origin } from './origin.ts'
import type { RouteRule } from './route.ts'

/** Where requests from outside come in. What cannot be served is left out. */
export interface Gateway {
  readonly namespace: string
  readonly name: string
  /** IP addresses that every instance binds; empty: each its own. */
  readonly addresses: readonly string[]
  /** Those that can be served, in the order written. */
  readonly listeners: readonly GatewayListener[]
  /** Of every listener, by name: what the status says of it. */
  readonly attachments: ReadonlyMap<string, Attachments>
  readonly origin: Origin
}

/** A listener for requests. Several may share a port: they are told apart by the host, for HTTPS by the TLS server name. */
export interface GatewayListener {
  readonly name: string
  readonly port: number
  readonly protocol: 'http' | 'https'
  /** "shop.example", "*.shop.example"; "*": every host. */
  readonly hostname: string
  /** Of `Model.certificates`; HTTPS has at least one, HTTP none. */
  readonly certificates: readonly string[]
  /** Within `hostname`, each at most once; a host of none of them is answered with 404. */
  readonly hosts: readonly GatewayHost[]
  readonly origin: Origin
}

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
