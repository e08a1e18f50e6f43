import net, { type Socket } from 'node:net'
import tls, { type DetailedPeerCertificate, type SecureContext } from 'node:tls'
import { isSocketPath, type Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'
import { checkPeer, type PeerCheck } from '../../base/peer-check.ts'
import { tlsProfile } from '../../base/tls-profile.ts'
import { checkTrustDomain, shownChain, trustDomainsIn, type TrustDomains } from '../../base/trust-domains.ts'
import type { KeyPair, Secrets, TlsChoices, UpstreamTls } from '../config.ts'
import type { Fault } from '../http/fault.ts'
import { connectFirst } from './connect-first.ts'

/** How many sockets there may be: the process has only so many file descriptors. */
export interface SocketRoom {
  /** Takes one; false: there is none. */
  take(): boolean
  give(): void
}

/** What a connection needs from outside. */
export interface ConnectParts {
  /** Absent: for any number. */
  readonly room?: SocketRoom | undefined
  readonly clock: Clock
  readonly secrets: Secrets
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
  /** The SPIFFE ID; undefined where the peer need not have one. */
  readonly principal: string | undefined
  /** The peer's certificate, DER, and the check that it passed last. */
  readonly peer: Buffer
  passed: PeerCheck
  readonly trustPem: string
  /** What we showed, and whether it was the workload's own. */
  readonly certificate: KeyPair | undefined
  readonly own: boolean
}

/** Would a connection proven so pass today: same bundle, an allowed peer, a certificate of ours that is still good? */
export function provenBy(proof: ProvenTls, secure: UpstreamTls, secrets: Secrets, wallMs: number): boolean {
  const { certificate, own, peer } = proof
  if (proof.trustPem !== secrets.trust(secure.trust) || own !== (secure.certificate === 'own')) return false
  if (own) {
    if (certificate?.notAfterMs !== undefined && certificate.notAfterMs <= wallMs) return false
  } else {
    const wanted = secure.certificate && secrets.certificate(secure.certificate)
    if (wanted?.chainPem !== certificate?.chainPem) return false
  }
  if (proof.passed === secure.peer) return true
  if (secure.peer.kind !== proof.passed.kind || checkPeer(peer, secure.peer) instanceof Error) return false
  proof.passed = secure.peer
  return true
}

/** With this protocol offered, where the configuration offers none: a server may want to know. As Envoy does. */
export const offering = (protocol: 'http/1.1' | 'h2', secure: UpstreamTls | undefined): UpstreamTls | undefined =>
  secure === undefined || secure.alpn.length > 0 ? secure : { ...secure, alpn: [protocol] }

/** Opens a connection to an address, with TLS or without. */
export type Connect = (
  to: Address,
  timeoutMs: number,
  secure: UpstreamTls | undefined,
  cluster: string,
  way?: ConnectWay,
) => Promise<Connected | Fault>

/** What is not so with most connections. */
export interface ConnectWay {
  /** Bytes in front of everything else: a PROXY header. */
  readonly header?: Buffer | undefined
  /** Other ways to the same endpoint: the first that can be reached is taken. */
  readonly moreAddresses?: readonly Address[] | undefined
  /** `Cluster.sourceAddresses`. */
  readonly from?: readonly Address[] | undefined
}

/** Opens TCP, and mTLS over it when `secure` says so; both within `timeoutMs`. The socket has no listeners and is paused. */
export function createConnect(parts: ConnectParts): Connect {
  const contexts = createContexts()
  const connectPlain = (
    to: Address,
    timeoutMs: number,
    cluster: string,
    from: ConnectWay['from'],
  ): Promise<Connected | Fault> => {
    const dialed = parts.dial?.(cluster, to, timeoutMs)
    if (dialed !== undefined) return opened(dialed, to, timeoutMs)
    return openTcp(to, timeoutMs, from)
  }
  const openTcp = (
    to: Address,
    timeoutMs: number,
    from: ConnectWay['from'],
    signal?: AbortSignal,
  ): Promise<Connected | Fault> => {
    let socket: Socket
    try {
      socket = net.connect(tcpOptions(to, from, signal))
    } catch (error) {
      // An address of ours that cannot lead there.
      return Promise.resolve({
        kind: 'connect-failed',
        side: 'upstream',
        retry: 'safe',
        endpoint: to,
        cause: errorText(error),
      })
    }
    return open(socket, undefined, to, timeoutMs, parts.clock)
  }
  const connectTls = (
    to: Address,
    timeoutMs: number,
    secure: UpstreamTls,
    { from, over }: { readonly from?: ConnectWay['from']; readonly over?: Socket } = {},
  ): Promise<Connected | Fault> => {
    const trustPem = parts.secrets.trust(secure.trust)
    if (trustPem === undefined) return Promise.resolve(tlsFailed(to, `no trust bundle${named(secure.trust)} yet`))
    const { certificate: source } = secure
    const certificate = source && parts.secrets.certificate(source)
    if (source !== undefined && certificate === undefined)
      return Promise.resolve(tlsFailed(to, `no certificate${named(source)} yet`))
    const proof: Proof = { trustPem, certificate, own: source === 'own', passed: secure.peer, peer: undefined }
    let socket: Socket
    try {
      const { context, domains } = contexts(certificate, trustPem, secure.choices)
      socket = tls.connect({
        ...(over === undefined ? tcpOptions(to, from) : { socket: over }),
        secureContext: context,
        servername: secure.sni,
        ...(secure.alpn.length > 0 ? { ALPNProtocols: [...secure.alpn] } : {}),
        rejectUnauthorized: true,
        checkServerIdentity: (_host, shown) => {
          const { raw } = shown
          // Node gives the whole chain, whatever its types say.
          const chain = domains && shownChain(shown as DetailedPeerCertificate)
          const stranger = chain && checkTrustDomain(chain, domains, parts.clock.wallMs())
          const principal = stranger ?? checkPeer(raw, secure.peer)
          if (principal instanceof Error) return principal
          proof.peer = raw
          // Other names are proven too, but nobody of the mesh has them.
          if (secure.peer.kind === 'spiffe') proof.principal = principal
          return undefined
        },
      })
    } catch (error) {
      over?.destroy()
      return Promise.resolve(tlsFailed(to, errorText(error)))
    }
    return open(socket, proof, to, timeoutMs, parts.clock)
  }
  const connectAnyhow: Connect = async (to, timeoutMs, secure, cluster, { header, moreAddresses, from } = {}) => {
    if (secure !== undefined && header === undefined && moreAddresses === undefined)
      return connectTls(to, timeoutMs, secure, { from })
    const startedMs = parts.clock.nowMs()
    const plain =
      moreAddresses === undefined
        ? await connectPlain(to, timeoutMs, cluster, from)
        : await connectFirst([to, ...moreAddresses], {
            timeoutMs,
            clock: parts.clock,
            connect: (one, ms, signal) => openTcp(one, ms, from, signal),
          })
    if ('kind' in plain) return plain
    if (header !== undefined) plain.socket.write(header)
    if (secure === undefined) return plain
    return connectTls(to, Math.max(1, timeoutMs - (parts.clock.nowMs() - startedMs)), secure, { over: plain.socket })
  }
  const { room } = parts
  if (room === undefined) return connectAnyhow
  return async (to, timeoutMs, secure, cluster, way) => {
    if (!room.take()) return noDescriptor
    const connected = await connectAnyhow(to, timeoutMs, secure, cluster, way)
    if ('kind' in connected || connected.socket.closed) room.give()
    else connected.socket.once('close', () => room.give())
    return connected
  }
}

const noDescriptor: Fault = { kind: 'overload', side: 'self', retry: 'safe', short: 'descriptors' }

/** " x" for the secret x. */
const named = (source: object | string): string =>
  typeof source === 'object' && 'secret' in source ? ` ${String(source.secret)}` : ''

interface Proof extends Pick<ProvenTls, 'trustPem' | 'certificate' | 'own' | 'passed'> {
  peer: Buffer | undefined
  principal?: string
}

/** Of ours, the one that leads there. Source: Envoy, `DefaultUpstreamLocalAddressSelector`. */
export function sourceFor({ host }: Address, from: readonly Address[]): Address | undefined {
  return from.find((one) => net.isIP(one.host) === net.isIP(host)) ?? from[0]
}

function sourceOptions(
  to: Address,
  from: ConnectWay['from'],
): Pick<net.TcpNetConnectOpts, 'localAddress' | 'localPort'> {
  const source = from && sourceFor(to, from)
  if (source === undefined) return {}
  return { localAddress: source.host, ...(source.port !== 0 && { localPort: source.port }) }
}

const tcpOptions = ({ host, port }: Address, from: ConnectWay['from'], signal?: AbortSignal): net.NetConnectOpts =>
  isSocketPath(host)
    ? { path: host.replace(/^@/, '\0'), allowHalfOpen: true, ...(signal && { signal }) }
    : {
        host,
        port,
        noDelay: true,
        allowHalfOpen: true,
        ...(from && sourceOptions({ host, port }, from)),
        ...(signal && { signal }),
      }

/** What peers are proven by. */
interface Trusting {
  readonly context: SecureContext
  /** Undefined: whoever is in the bundle vouches for anybody. */
  readonly domains: TrustDomains | undefined
}

/** A secure context costs a millisecond: one for each certificate, bundle and choice of versions and ciphers. */
function createContexts(): (
  certificate: KeyPair | undefined,
  trustPem: string,
  choices: TlsChoices | undefined,
) => Trusting {
  const anonymous = {}
  const known = new WeakMap<object, Map<string, Trusting>>()
  return (certificate, trustPem, choices = {}) => {
    const key = certificate ?? anonymous
    const { minVersion = '', maxVersion = '', ciphers = '', ecdhCurve = '' } = choices
    const way = `${minVersion} ${maxVersion} ${ciphers} ${ecdhCurve} ${trustPem}`
    let byWay = known.get(key)
    if (byWay === undefined) known.set(key, (byWay = new Map()))
    let trusting = byWay.get(way)
    if (trusting === undefined) {
      const shown = certificate === undefined ? {} : { cert: certificate.chainPem, key: certificate.keyPem }
      const context = tls.createSecureContext({ ...tlsProfile, ...choices, ca: trustPem, ...shown })
      byWay.set(way, (trusting = { context, domains: trustDomainsIn(trustPem) }))
    }
    return trusting
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
    let connected = !socket.connecting
    let over = false
    // After a pause of ours timers come first: what the kernel has had ready meanwhile is heard before anybody is given up.
    const timer = clock.after(timeoutMs, () => setImmediate(late))
    const late = (): void => {
      if (!over) fail({ kind: 'connect-timeout', side: 'upstream', retry: 'safe', endpoint, timeoutMs })
    }
    const done = (): void => {
      over = true
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
    const onError = (error: NodeJS.ErrnoException): void =>
      fail(error.code === 'EMFILE' || error.code === 'ENFILE' ? noDescriptor : refused(errorText(error)))
    const onClose = (): void => fail(refused('the connection was closed'))
    const onConnect = (): void => {
      connected = true
      if (proof === undefined) onReady()
    }
    const onReady = (): void => {
      done()
      socket.on('error', ignore)
      if (proof === undefined) return resolve({ socket, tls: undefined })
      const { peer, principal } = proof
      if (peer === undefined) return fail(tlsFailed(endpoint, 'its identity was not checked'))
      resolve({ socket, tls: { ...proof, peer, principal } })
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
