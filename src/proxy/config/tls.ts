import type { PeerCheck } from '../../base/peer-check.ts'

/** A certificate chain and its key, PEM. */
export interface KeyPair {
  readonly chainPem: string
  readonly keyPem: string
  /** Unix time in ms; absent: not looked at. */
  readonly notAfterMs?: number
}

/**
 * Whose certificate. `own`: the workload's, which the agent handed over (SDS from cluster `weft-agent`). By secret name from
 * `ProxyConfig.certificates`, or as it stood in the resource.
 */
export type CertificateSource = 'own' | { readonly secret: string } | KeyPair

/** Whom to believe: by secret name from `ProxyConfig.trust`, or PEM as it stood in the resource. */
export type TrustSource = { readonly secret: string } | { readonly pem: string }

/** Narrower than the profile of `base/tls-profile.ts`; absent: that. As Node's TLS takes it. xDS: tls_params. */
export interface TlsChoices {
  readonly minVersion?: 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2'
  /** Of TLS 1.2 besides those of 1.3, which stay as they are; OpenSSL's names, joined by ":". */
  readonly ciphers?: string
  /** Groups for the key exchange, joined by ":". */
  readonly ecdhCurve?: string
}

/** TLS towards clients. */
export interface DownstreamTls {
  /** What clients are shown that ask for a name of no certificate, or for none. */
  readonly certificate: CertificateSource
  /** For clients that ask for a name of one of these; absent: there are none. */
  readonly moreCertificates?: readonly CertificateSource[]
  /** Undefined: client certificates are not asked for. */
  readonly trust: TrustSource | undefined
  /** What a client's certificate must say. */
  readonly peer: PeerCheck
  readonly requireClientCertificate: boolean
  /** A certificate that nobody vouches for counts as none; absent: it is refused. xDS: trust_chain_verification ACCEPT_UNTRUSTED. */
  readonly acceptUntrusted?: true
  readonly alpn: readonly string[]
  readonly choices?: TlsChoices
}

/** TLS towards an endpoint, whose certificate must pass. */
export interface UpstreamTls {
  readonly certificate: CertificateSource | undefined
  readonly trust: TrustSource
  readonly peer: PeerCheck
  /** "": none is sent. */
  readonly sni: string
  readonly alpn: readonly string[]
  readonly choices?: TlsChoices
}

/** What sources stand for at the moment; undefined: a secret that is not here. The same object as long as nothing changed. */
export interface Secrets {
  certificate(source: CertificateSource): KeyPair | undefined
  /** PEM. */
  trust(source: TrustSource): string | undefined
}
