import { hash, type X509Certificate } from 'node:crypto'
import net from 'node:net'
import tls from 'node:tls'
import { formatAddress, type Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import { checkPeer, type PeerCheck } from '../base/peer-check.ts'
import { parseSpiffeId } from '../base/spiffe-id.ts'
import { controlPlaneId } from './names.ts'

/** How the server proves itself: by a known bundle and its identity, or (joining by token) by the hash of its root. */
export type ServerTrust =
  | { caPem: string; serverId: string }
  /** Any server that this bundle vouches for and that passes the check; `serverName` is asked for ("": none). */
  | { caPem: string; peer: PeerCheck; serverName: string }
  /** "sha256:<hex>" of the root certificate's DER; the server sends the root along. */
  | { rootHash: string }

/** Where a gRPC server is. */
export type GrpcTarget =
  | { unix: string }
  | {
      address: Address
      /** Undefined: plain text. */
      tls:
        | {
            trust: ServerTrust
            identity?: { keyPem: string; chainPem: string } | undefined
          }
        | undefined
    }

export const formatTarget = (target: GrpcTarget): string =>
  'unix' in target ? `unix:${target.unix}` : formatAddress(target.address)

/**
 * A connected socket whose peer has proven itself, or a sentence saying why not. Takes at most `timeoutMs`.
 */
export function dial(
  target: GrpcTarget,
  { clock, timeoutMs }: { clock: Clock; timeoutMs: number },
): { socket: net.Socket; connected: Promise<string | undefined> } {
  const secure = 'unix' in target ? undefined : target.tls
  const encrypted = 'unix' in target || secure === undefined ? undefined : connectTls(target.address, secure)
  const socket = encrypted ?? net.connect('unix' in target ? { path: target.unix } : target.address)
  const connected = new Promise<string | undefined>((resolve) => {
    const timer = clock.after(timeoutMs, () => fail(`no connection within ${timeoutMs} ms`), { background: true })
    const fail = (reason: string): void => {
      timer.cancel()
      socket.destroy()
      resolve(reason)
    }
    socket.on('error', (error) => fail(error.message))
    socket.once('close', () => fail('closed by the peer'))
    socket.once(encrypted === undefined ? 'connect' : 'secureConnect', () => {
      const refusal =
        encrypted === undefined || secure === undefined ? undefined : refusalOf(encrypted, secure.trust, clock)
      if (refusal !== undefined) return fail(refusal)
      timer.cancel()
      resolve(undefined)
    })
  })
  return { socket, connected }
}

type TlsOptions = NonNullable<Exclude<GrpcTarget, { unix: string }>['tls']>

function connectTls(address: Address, { trust, identity }: TlsOptions): tls.TLSSocket {
  return tls.connect({
    host: address.host,
    port: address.port,
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    ...('caPem' in trust ? { ca: trust.caPem } : { rejectUnauthorized: false }),
    ...('serverName' in trust && trust.serverName !== '' ? { servername: trust.serverName } : {}),
    // Identities, not host names: `refusalOf` looks at them.
    checkServerIdentity: () => undefined,
    ...(identity === undefined ? {} : { key: identity.keyPem, cert: identity.chainPem }),
  })
}

function refusalOf(socket: tls.TLSSocket, trust: ServerTrust, clock: Clock): string | undefined {
  const leaf = socket.getPeerX509Certificate()
  if (leaf === undefined) return 'the server sent no certificate'
  if (socket.alpnProtocol !== 'h2') return 'the server does not speak HTTP/2'
  if ('peer' in trust) {
    const principal = checkPeer(leaf.raw, trust.peer)
    return principal instanceof Error ? principal.message : undefined
  }
  const id = uriOf(leaf)
  if (id === undefined) return 'the server certificate has no single URI name'
  if ('caPem' in trust) return id === trust.serverId ? undefined : `the server is ${id}, expected ${trust.serverId}`
  const trustDomain = parseSpiffeId(id)?.trustDomain
  // Every workload's certificate has the same root: only the control plane may take a join token.
  if (trustDomain === undefined || id !== controlPlaneId(trustDomain)) return `the server is ${id}, not a control plane`
  return chainRefusal(leaf, trust.rootHash, clock.wallMs())
}

/** The one URI of the subject's alternative names; undefined for none, several, or names that need quoting. */
function uriOf({ subjectAltName }: X509Certificate): string | undefined {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return undefined
  const uris = subjectAltName.split(', ').filter((name) => name.startsWith('URI:'))
  return uris.length === 1 ? uris[0]?.slice('URI:'.length) : undefined
}

const serverAuth = '1.3.6.1.5.5.7.3.1'
const maxChain = 8

/** Why `leaf` does not descend from the root with this hash at this time; undefined when it does. Source: RFC 5280, section 6.1 (signature, dates, CA). */
function chainRefusal(leaf: X509Certificate, rootHash: string, nowMs: number): string | undefined {
  const purposes = leaf.keyUsage as string[] | undefined
  if (purposes !== undefined && !purposes.includes(serverAuth)) return 'the server certificate is not for servers'
  let child = leaf
  for (let depth = 0; depth < maxChain; depth++) {
    if (nowMs < child.validFromDate.getTime() || nowMs > child.validToDate.getTime())
      return `a certificate of the server's chain is not in date (${child.validFrom} to ${child.validTo})`
    if (depth > 0 && `sha256:${hash('sha256', child.raw, 'hex')}` === rootHash.toLowerCase()) return undefined
    const parent = child.issuerCertificate
    if (parent === undefined || parent.fingerprint256 === child.fingerprint256) break
    if (!parent.ca || !child.checkIssued(parent) || !child.verify(parent.publicKey))
      return "the server's certificate chain is broken"
    child = parent
  }
  return 'the server does not have the root certificate that the token names'
}
