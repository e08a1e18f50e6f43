import fs from 'node:fs'
import { isIP } from 'node:net'
import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'

/** Whom this machine asks, and what it puts behind short names. */
export interface HostResolvers {
  readonly servers: readonly Address[]
  /** Lower case, without dots at the ends. */
  readonly search: readonly string[]
}

const reReadMs = 5000

/** What this machine is set to, read again now and then. Source: resolv.conf(5). */
export function hostResolvers(clock: Clock, file = '/etc/resolv.conf'): () => HostResolvers {
  let known: { readonly resolvers: HostResolvers; readonly readMs: number } | undefined
  return () => {
    const nowMs = clock.nowMs()
    if (known === undefined || nowMs - known.readMs > reReadMs) known = { resolvers: read(file), readMs: nowMs }
    return known.resolvers
  }
}

function read(file: string): HostResolvers {
  try {
    return parseResolvers(fs.readFileSync(file, 'utf8'))
  } catch {
    return parseResolvers('')
  }
}

/** The `nameserver` lines; without any, the machine itself. Of `search` and `domain` the last line counts. */
export function parseResolvers(text: string): HostResolvers {
  const hosts = Array.from(text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm), ([, host = '']) => host)
  const known = hosts.filter((host) => isIP(host) !== 0)
  const lines = Array.from(text.matchAll(/^[ \t]*(?:search|domain)[ \t]+([^\n#;]*)/gm), ([, domains = '']) => domains)
  const search = (lines.at(-1) ?? '')
    .toLowerCase()
    .split(/\s+/)
    .map((domain) => domain.replace(/^\.+|\.+$/g, ''))
  return {
    servers: (known.length === 0 ? ['127.0.0.1'] : known).map((host) => ({ host, port: 53 })),
    search: search.filter((domain) => domain !== ''),
  }
}
