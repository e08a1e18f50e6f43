import tls from 'node:tls'

/** Reads whom this machine believes when that is first wanted, PEM: the system's own list (`SSL_CERT_FILE` too), else Node's. */
export function createSystemTrust(): () => string {
  let pem: string | undefined
  return () => {
    if (pem !== undefined) return pem
    const own = tls.getCACertificates('system')
    pem = (own.length > 0 ? own : tls.getCACertificates('bundled')).join('\n')
    return pem
  }
}
