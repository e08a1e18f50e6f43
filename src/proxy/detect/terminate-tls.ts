import { constants } from 'node:crypto'
import type { Socket } from 'node:net'
import tls, { type TLSSocket } from 'node:tls'
import { checkPeer } from '../../base/peer-check.ts'
import type { Clock } from '../../base/clock.ts'
import { tlsProfile } from '../../base/tls-profile.ts'
import { checkTrustDomain, shownChain, trustDomainsIn } from '../../base/trust-domains.ts'
import type { DownstreamTls, KeyPair } from '../config.ts'
import type { Agreed } from '../http/service.ts'
import { byServerName } from './by-server-name.ts'

/** How long a client may take for its handshake, ms. */
export const handshakeTimeoutMs = 5000

/** A TLS end point that connections are handed to. */
export interface TlsTerminator {
  /** Takes over a raw connection, what was peeked put back; `done` is called once, unless the connection closes before. */
  accept(socket: Socket, done: (secured: Secured) => void): void
}

/** A client whose handshake is done, or (closed already) why it is not. */
export type Secured =
  | {
      readonly socket: TLSSocket
      /** Who the client proved to be: see `checkPeer`; and its certificate (DER). */
      readonly principal: string | undefined
      readonly certificate: Buffer | undefined
    }
  | { readonly refused: string }

/** What a connection has agreed on, with what we have shown where a log wants that. */
export const securedBy = (socket: TLSSocket, withShown: boolean): Agreed => ({
  version: socket.getProtocol() ?? '',
  // The name of TLS 1.3's own ciphers is their standard name; of older ones it is OpenSSL's, as everywhere.
  cipher: socket.getCipher().name,
  ...(withShown && { shown: shownBy(socket) }),
})

/** Node's type does not say that it is there. */
const shownBy = (socket: TLSSocket): Buffer | undefined => {
  const certificate = socket.getCertificate()
  return certificate !== null && 'raw' in certificate ? certificate.raw : undefined
}

/** What a terminator presents and believes. */
export interface TerminateParts {
  /** The first one is for clients that ask for a name of none of them. */
  readonly certificates: readonly [KeyPair, ...KeyPair[]]
  /** PEM; undefined: client certificates are not asked for. */
  readonly trustPem: string | undefined
  readonly clock: Pick<Clock, 'wallMs'>
}

/**
 * Ends TLS with these certificates; for others make another terminator. Handshakes that have begun go on. A client certificate that
 * is given must be good, also where none is required, unless the configuration takes bad ones as none. Nothing is resumed: no tickets, and no session cache.
 */
export function terminateTls(config: DownstreamTls, { certificates, trustPem, clock }: TerminateParts): TlsTerminator {
  const [first, ...more] = certificates
  const secureOptions = constants.SSL_OP_NO_TICKET
  const domains = trustPem === undefined ? undefined : trustDomainsIn(trustPem)
  const trust = trustPem === undefined ? {} : { ca: trustPem }
  const server = tls.createServer({
    ...tlsProfile,
    ...config.choices,
    key: first.keyPem,
    cert: first.chainPem,
    secureOptions,
    ...trust,
    ...(more.length === 0
      ? {}
      : { SNICallback: contextsByName(certificates, { ...tlsProfile, ...config.choices, secureOptions, ...trust }) }),
    allowHalfOpen: true,
    requestCert: trustPem !== undefined,
    // What is given is checked below, so that a bad certificate is refused where a missing one is allowed.
    rejectUnauthorized: trustPem !== undefined && config.requireClientCertificate && config.acceptUntrusted !== true,
    handshakeTimeout: handshakeTimeoutMs,
    ...(config.alpn.length > 0 ? { ALPNProtocols: [...config.alpn] } : {}),
  })
  const waiting = new Map<string, (secured: Secured) => void>()
  const tell = (socket: Socket, secured: Secured): void => {
    const key = connectionKey(socket)
    const done = waiting.get(key)
    waiting.delete(key)
    if (done === undefined || 'refused' in secured) socket.destroy()
    done?.(secured)
  }
  server.on('secureConnection', (socket) => {
    socket.on('error', ignore)
    const proof = clientProof(socket)
    socket.pause()
    tell(socket, 'refused' in proof ? proof : { socket, ...proof })
  })
  server.on('tlsClientError', (error, socket) => {
    socket.on('error', ignore)
    tell(socket, { refused: error.message })
  })

  function clientProof(
    socket: TLSSocket,
  ): { principal: string | undefined; certificate: Buffer | undefined } | { refused: string } {
    const certificate = trustPem === undefined ? undefined : socket.getPeerX509Certificate()
    if (certificate === undefined) {
      return config.requireClientCertificate ? { refused: 'no client certificate' } : nobody
    }
    if (!socket.authorized && config.acceptUntrusted === true) return nobody
    if (!socket.authorized) return { refused: `client certificate refused: ${String(socket.authorizationError)}` }
    const stranger = domains && checkTrustDomain(shownChain(socket.getPeerCertificate(true)), domains, clock.wallMs())
    if (stranger !== undefined && config.acceptUntrusted === true) return nobody
    if (stranger !== undefined) return { refused: `client certificate refused: ${stranger.message}` }
    const principal = checkPeer(certificate.raw, config.peer)
    return principal instanceof Error ? { refused: principal.message } : { principal, certificate: certificate.raw }
  }
  return {
    accept(socket, done) {
      const key = connectionKey(socket)
      waiting.set(key, done)
      socket.once('close', () => {
        if (waiting.get(key) === done) waiting.delete(key)
      })
      server.emit('connection', socket)
    },
  }
}

const nobody = { principal: undefined, certificate: undefined }

/** A secure context costs a millisecond: made when the first client asks for one of its names. */
function contextsByName(
  certificates: readonly KeyPair[],
  options: tls.SecureContextOptions,
): NonNullable<tls.TlsOptions['SNICallback']> {
  const pairsFor = byServerName(certificates)
  const contexts = new Map<string, tls.SecureContext>()
  return (serverName, done) => {
    const pairs = pairsFor(serverName)
    const key = pairs.map((pair) => certificates.indexOf(pair)).join()
    let context = contexts.get(key)
    if (context === undefined) {
      // Of two with the same kind of key OpenSSL keeps the later one.
      const shown = pairs.toReversed()
      const own = { key: shown.map(({ keyPem }) => keyPem), cert: shown.map(({ chainPem }) => chainPem) }
      contexts.set(key, (context = tls.createSecureContext({ ...options, ...own })))
    }
    done(null, context)
  }
}

/** The TLS socket that Node makes does not name the raw one, but both have its addresses. */
const connectionKey = (socket: Socket): string =>
  `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`

const ignore = (): void => {}
