import { X509Certificate } from 'node:crypto'
import { subjectNames } from '../../base/subject-names.ts'
import type { KeyPair } from '../config.ts'

/**
 * The certificates for a server name, of several: those that have the very name, else those with a wildcard for its first label, else
 * the first. More than one differ in kind of key, or the first of them counts. Source: Envoy, "Certificate selection"; RFC 9525,
 * section 6.3.
 */
export function byServerName(pairs: readonly KeyPair[]): (serverName: string) => readonly KeyPair[] {
  const byName = new Map<string, KeyPair[]>()
  for (const pair of pairs) {
    for (const name of dnsNames(pair)) {
      const there = byName.get(name)
      if (there === undefined) byName.set(name, [pair])
      else there.push(pair)
    }
  }
  return (serverName) => {
    const name = serverName.toLowerCase()
    return byName.get(name) ?? byName.get(name.replace(/^[^.]*/, '*')) ?? pairs.slice(0, 1)
  }
}

function dnsNames({ chainPem }: KeyPair): readonly string[] {
  const names = subjectNames(new X509Certificate(chainPem).raw) ?? []
  return names.flatMap(({ kind, value }) => (kind === 'dns' ? [value.toLowerCase()] : []))
}
