import fs from 'node:fs'
import { isIP } from 'node:net'
import type { Address } from '../../base/address.ts'
import type { Clock } from '../../base/clock.ts'

const reReadMs = 5000

/** The resolvers of this machine, read again now and then. Source: resolv.conf(5). */
export function hostResolvers(clock: Clock, file = '/etc/resolv.conf'): () => readonly Address[] {
  let known: { readonly resolvers: readonly Address[]; readonly readMs: number } | undefined
  return () => {
    const nowMs = clock.nowMs()
    if (known === undefined || nowMs - known.readMs > reReadMs) known = { resolvers: read(file), readMs: nowMs }
    return known.resolvers
  }
}

function read(file: string): readonly Address[] {
  try {
    return parseResolvers(fs.readFileSync(file, 'utf8'))
  } catch {
    return parseResolvers('')
  }
}

/** The `nameserver` lines; without any, the machine itself. */
export function parseResolvers(text: string): readonly Address[] {
  const hosts = Array.from(text.matchAll(/^[ \t]*nameserver[ \t]+(\S+)/gm), ([, host = '']) => host)
  const known = hosts.filter((host) => isIP(host) !== 0)
  return (known.length === 0 ? ['127.0.0.1'] : known).map((host) => ({ host, port: 53 }))
}
