import net, { type Socket } from 'node:net'
import tls, { type SecureContext } from 'node:tls'
import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { parseSpiffeId } from '../../base/spiffe-id.ts'
import { tlsProfile } from '../../base/tls-profile.ts'
import { uriSubjectAltNames } from '../../base/uri-san.ts'
import type { Watchable } from '../../base/watchable.ts'
import type { UpstreamTls } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import type { IdentityMaterial } from '../sidecar-messages.ts'

/** What a connection needs from outside. */
export interface ConnectParts {
  readonly clock: Clock
  readonly identity: Watchable<IdentityMaterial>
  /** The trust bundle of that name (PEM), as the newest configuration has it. */
  readonly trust: (name: string) => string | undefined
  /** Opens a plain connection in another way than by the network; undefined: this one goes by the network. */
  readonly dial?: ((cluster: string, to: Address, timeoutMs: number) => Promise<Dialed> | undefined) | undefined
}

/** An open connection, paused, or why there is none; "timeout" when it took too long. */
export type Dialed = Socket | { readonly failed: string }

/** An open connection, and what was proven on it. */
export interface Connected {
  readonly socket: Socket
  readonly tls: ProvenTls | undefined
}
/** What a TLS connection was checked with; a pooled one is used again only while that still holds. */
export interface ProvenTls {
  readonly principal: string
  readonly trustPem: string
  readonly identity: IdentityMaterial | undefined
}

/** Would a connection proven so pass today: same bundle, an allowed peer, an own certificate that has not expired? */
export function provenBy(proof: ProvenTls, secure: UpstreamTls, trustPem: string | undefined, wallMs: number): boolean {
  if (proof.trustPem !== trustPem || (proof.identity !== undefined) !== (secure.certificate === 'own')) return false
  if (proof.identity !== undefined && proof.identity.notAfterMs <= wallMs) return false
  return secure.subjectAltNames.length === 0 || secure.subjectAltNames.includes(proof.principal)
}

/** Opens a connection to an address, with TLS or without. */
export type Connect = (
  to: Address,
  timeoutMs: number,
  secure: UpstreamTls | undefined,
  cluster: string,
) => Promise<Connected | Fault>

/** Opens TCP, and mTLS over it when `secure` says so; both within `timeoutMs`. The socket has no listeners and is paused. */
export function createConnect(parts: ConnectParts): Connect {
  const contexts = createContexts()
  return (to, timeoutMs, secure, cluster) => {
    const dialed = secure === undefined ? parts.dial?.(cluster, to, timeoutMs) : undefined
    if (dialed !== undefined) return opened(dialed, to, timeoutMs)
    if (secure === undefined) return open(net.connect(tcpOptions(to)), undefined, to, timeoutMs, parts.clock)
    const trustPem = parts.trust(secure.trust)
    if (trustPem === undefined) return Promise.resolve(tlsFailed(to, `no trust bundle ${secure.trust} yet`))
    const identity = secure.certificate === 'own' ? parts.identity.value : undefined
    const proof: Proof = { trustPem, identity, principal: undefined }
    let socket: Socket
    try {
      socket = tls.connect({
        ...tcpOptions(to),
        secureContext: contexts(identity, trustPem),
        servername: secure.sni,
        ...(secure.alpn.length > 0 ? { ALPNProtocols: [...secure.alpn] } : {}),
        rejectUnauthorized: true,
        checkServerIdentity: (_host, certificate) => {
          const principal = provenPrincipal(certificate.raw, secure.subjectAltNames)
          if (principal instanceof Error) return principal
          proof.principal = principal
          return undefined
        },
      })
    } catch (error) {
      return Promise.resolve(tlsFailed(to, errorText(error)))
    }
    return open(socket, proof, to, timeoutMs, parts.clock)
  }
}

interface Proof {
  readonly trustPem: string
  readonly identity: IdentityMaterial | undefined
  principal: string | undefined
}

const tcpOptions = ({ host, port }: Address): net.TcpNetConnectOpts => ({
  host,
  port,
  noDelay: true,
  allowHalfOpen: true,
})

/** The SPIFFE ID of a certificate that the bundle vouches for, if it is one of `allowed` (any, when that is empty). */
export function provenPrincipal(certificate: Buffer, allowed: readonly string[]): string | Error {
  const uris = uriSubjectAltNames(certificate) ?? []
  const [uri] = uris
  // SPIFFE X.509-SVID, section 2: exactly one URI.
  if (uri === undefined || uris.length > 1) return new Error(`its certificate has ${uris.length} URI names, not one`)
  if (allowed.length > 0) {
    return allowed.includes(uri) ? uri : new Error(`its certificate is for ${uri}, not for ${allowed.join(' or ')}`)
  }
  return parseSpiffeId(uri) === undefined ? new Error('its certificate has no SPIFFE ID') : uri
}

/** A secure context costs a millisecond: one for each identity and bundle. */
function createContexts(): (identity: IdentityMaterial | undefined, trustPem: string) => SecureContext {
  const anonymous = {}
  const known = new WeakMap<object, Map<string, SecureContext>>()
  return (identity, trustPem) => {
    const key = identity ?? anonymous
    let byTrust = known.get(key)
    if (byTrust === undefined) known.set(key, (byTrust = new Map()))
    let context = byTrust.get(trustPem)
    if (context === undefined) {
      const own = identity === undefined ? {} : { cert: identity.chainPem, key: identity.keyPem }
      context = tls.createSecureContext({ ...tlsProfile, ca: trustPem, ...own })
      byTrust.set(trustPem, context)
    }
    return context
  }
}

async function opened(dialed: Promise<Dialed>, endpoint: Address, timeoutMs: number): Promise<Connected | Fault> {
  const socket = await dialed
  if (!('failed' in socket)) return { socket, tls: undefined }
  if (socket.failed === 'timeout')
    return { kind: 'connect-timeout', side: 'upstream', retry: 'safe', endpoint, timeoutMs }
  return { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint, cause: socket.failed }
}

function open(
  socket: Socket,
  proof: Proof | undefined,
  endpoint: Address,
  timeoutMs: number,
  clock: Clock,
): Promise<Connected | Fault> {
  return new Promise((resolve) => {
    let connected = false
    const timer = clock.after(timeoutMs, () =>
      fail({ kind: 'connect-timeout', side: 'upstream', retry: 'safe', endpoint, timeoutMs }),
    )
    const done = (): void => {
      timer.cancel()
      socket.off('error', onError).off('close', onClose).off('connect', onConnect).off('secureConnect', onReady)
    }
    const fail = (fault: Fault): void => {
      done()
      socket.on('error', ignore)
      socket.destroy()
      resolve(fault)
    }
    const refused = (cause: string): Fault =>
      connected && proof !== undefined
        ? tlsFailed(endpoint, cause)
        : { kind: 'connect-failed', side: 'upstream', retry: 'safe', endpoint, cause }
    const onError = (error: Error): void => fail(refused(errorText(error)))
    const onClose = (): void => fail(refused('the connection was closed'))
    const onConnect = (): void => {
      connected = true
      if (proof === undefined) onReady()
    }
    const onReady = (): void => {
      done()
      socket.on('error', ignore)
      if (proof === undefined) return resolve({ socket, tls: undefined })
      if (proof.principal === undefined) return fail(tlsFailed(endpoint, 'its identity was not checked'))
      resolve({ socket, tls: { ...proof, principal: proof.principal } })
    }
    socket.on('error', onError).on('close', onClose).on('connect', onConnect).on('secureConnect', onReady)
  })
}

const tlsFailed = (endpoint: Address, cause: string): Fault => ({
  kind: 'tls-failed',
  side: 'upstream',
  retry: 'safe',
  endpoint,
  cause,
})

const ignore = (): void => {}

function errorText(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = 'code' in error ? String(error.code) : ''
  // Node's codes for system errors say it all; those of OpenSSL do not.
  return /^E[A-Z]+$/.test(code) ? code : error.message
}
