/** An IP address (or host name, where a field says so) and a port; or a Unix socket: its path, or "@" and its abstract name, and port 0. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Whether a host is a Unix socket. */
export const isSocketPath = (host: string): boolean => host.startsWith('/') || host.startsWith('@')

/** `127.0.0.1:80`, `[::1]:80`, `/run/web.sock`. */
export function formatAddress({ host, port }: Address): string {
  if (isSocketPath(host)) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The opposite; undefined when there is no port from 0 to 65535 or no host. */
export function parseAddress(text: string): Address | undefined {
  const colon = text.lastIndexOf(':')
  const port = Number(text.slice(colon + 1))
  const host = text.slice(0, Math.max(colon, 0)).replace(/^\[(.*)\]$/, '$1')
  if (colon < 1 || host === '' || text.length === colon + 1) return undefined
  return Number.isInteger(port) && port >= 0 && port <= 65_535 ? { host, port } : undefined
}

/** "::ffff:10.0.0.1" → "10.0.0.1": how an IPv4 peer looks to a socket that takes both. */
export const unmapped = (host: string): string =>
  host.startsWith('::ffff:') ? host.replace(/^::ffff:(?=\d+\.)/, '') : host
