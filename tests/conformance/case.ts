import fs from 'node:fs'
import path from 'node:path'

/** A resource as the case has it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: Readonly<Record<string, unknown>>
  /** Of an EndpointSlice. */
  readonly ports?: readonly { readonly port: number }[]
}

/** A workload to start: `replicas` processes of the echo backend. */
export interface Backend {
  readonly namespace: string
  readonly name: string
  readonly podLabels: Readonly<Record<string, string>>
  readonly replicas: number
  readonly serviceName?: string
  readonly ports: readonly { readonly port: number; readonly protocol: string }[]
  readonly tls?: { readonly serverCertificate: CertificateName; readonly clientCA?: CertificateName }
}

/** A certificate of the case, by the resource that holds it. */
export interface CertificateName {
  readonly kind: string
  readonly namespace: string
  readonly name: string
}

/** A resource, by name. */
export interface ResourceName {
  readonly kind: string
  readonly namespace?: string
  readonly name: string
}

/** A condition that must be there; what is absent may be anything. */
export interface ConditionWish {
  readonly type: string
  readonly status?: string
  readonly reason?: string
}

/** From inside the mesh, in a pod of workload `client`, to a Service or to a pod's own address; or from outside to a Gateway. */
export interface Via {
  readonly gateway?: { readonly namespace: string; readonly name: string }
  readonly port?: number
  readonly client?: { readonly namespace: string; readonly workload: string }
  readonly target?: {
    readonly service?: string
    readonly pod?: string
    readonly namespace: string
    readonly port: number
  }
}

export interface Request {
  readonly protocol: string
  readonly scheme?: string
  readonly method?: string
  readonly host?: string
  readonly connectHost?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Of gRPC: full name of the service, and the call's metadata; `method` is the method's name. */
  readonly service?: string
  readonly authority?: string
  readonly metadata?: Readonly<Record<string, string>>
  /** The server name to ask for and whom to believe. */
  readonly tls?: {
    readonly serverName: string
    readonly trust: CertificateName
    readonly clientCertificate?: CertificateName
  }
  /** Of raw TCP and TLS: lines, each of which gets one as its answer. */
  readonly send?: readonly string[]
  /** Of a datagram, as text or in hexadecimal. */
  readonly payload?: string
  readonly payloadHex?: string
  readonly serverName?: string
  readonly trust?: CertificateName
  /** Of a WebSocket: what is sent, each to be echoed. */
  readonly frames?: readonly { readonly text?: string; readonly binaryHex?: string }[]
}

/** What an answer is to be like; a key that is absent is not asked for. */
export interface Expectation {
  readonly statuses?: readonly number[]
  readonly statusesNot?: readonly number[]
  readonly grpcCode?: number
  readonly grpcCodeNot?: number
  readonly backend?: { readonly service?: string; readonly namespace?: string }
  readonly backendRequest?: {
    readonly method?: string
    readonly path?: string
    readonly host?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly absentHeaders?: readonly string[]
    readonly metadata?: Readonly<Record<string, string>>
    readonly absentMetadata?: readonly string[]
    readonly fullMethod?: string
    readonly sni?: string
  }
  readonly responseHeaders?: Readonly<Record<string, string>>
  readonly absentResponseHeaders?: readonly string[]
  /** One of these values each. */
  readonly responseHeadersOneOf?: Readonly<Record<string, readonly string[]>>
  readonly ignoreHeaderWhitespace?: boolean
  /** No HTTP answer: the handshake or the connection fails. */
  readonly connectionFailure?: boolean
  /** The connection is closed or reset before anything was said. */
  readonly connectionRejected?: boolean
  readonly connected?: boolean
  readonly answered?: boolean
  readonly backendIsTLS?: boolean
  readonly framesEchoed?: boolean
  /** The answer begins as the question did: with its id. */
  readonly dnsAnswerWithSameId?: boolean
  /** A request header of the backend's that holds its name. */
  readonly backendRequestHeaderNamesBackend?: string
  /** Who got a copy; of a distribution within these numbers. */
  readonly mirroredTo?: readonly {
    readonly service?: string
    readonly namespace?: string
    readonly min?: number
    readonly max?: number
  }[]
  readonly redirect?: {
    readonly scheme?: string
    readonly host?: string
    readonly path?: string
    readonly port?: number | 'default'
  }
  /** Of a distribution: shares by backend. */
  readonly weights?: Readonly<Record<string, number>>
  readonly tolerance?: number
}

export interface Step {
  readonly type: string
  readonly name?: string
  readonly via?: Via
  readonly request?: Request
  readonly expect?: Expectation
  /** What the specification implies although upstream never compares it. */
  readonly expectSpec?: Expectation
  readonly count?: number
  readonly retries?: number
  readonly ms?: number
  readonly manifest?: Manifest
  readonly resource?: ResourceName
  readonly mergePatch?: unknown
  /** Whose pods are put into an EndpointSlice, and those of which addresses. */
  readonly from?: { readonly namespace: string; readonly name: string }
  readonly family?: string
  /** What a status must be like. */
  readonly gateways?: readonly { readonly namespace: string; readonly name: string }[]
  readonly contains?: readonly string[]
  readonly notContains?: readonly string[]
  readonly parentRef?: Readonly<Record<string, string>>
  readonly ancestorRef?: Readonly<Record<string, string>>
  readonly parentNamespaceRequired?: boolean
  readonly controllerName?: string
  readonly condition?: string
  readonly status?: string
  readonly reason?: string
  readonly listeners?: '*' | readonly unknown[]
  readonly conditions?: readonly ConditionWish[]
}

/** One test of the suite, as data. */
export interface Case {
  readonly name: string
  readonly group: string
  readonly features: readonly string[]
  readonly alsoRequires?: readonly string[]
  readonly unlessFeatures?: readonly string[]
  readonly manifests: readonly Manifest[]
  readonly backends: readonly Backend[]
  /** Service `namespace/name` → backends `namespace/name` that its selector picks. */
  readonly serviceBackends: Readonly<Record<string, readonly string[]>>
  /** Secrets and ConfigMaps to make. */
  readonly certificates?: readonly CertificateName[]
  readonly steps: readonly Step[]
}

/** The cases of a folder, by name; `folder/cases/*.json`. Throws when there is no such folder. */
export function readCases(folder: string): readonly Case[] {
  const place = path.join(folder, 'cases')
  return fs
    .readdirSync(place)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => JSON.parse(fs.readFileSync(path.join(place, name), 'utf8')) as Case)
}

/** A resource's key among those of a case. */
export const keyOf = (kind: string, { namespace = 'default', name }: { namespace?: string; name: string }): string =>
  `${kind}/${namespace}/${name}`
