import type { Clock } from '../base/clock.ts'
import type { FilterChain, KeyPair, Listener, Secrets } from './config.ts'
import { terminateTls, type TlsTerminator } from './detect/terminate-tls.ts'

/** What ends TLS for the chains of one listener, each made on first use, and anew when its certificates have changed. */
export interface ChainTerminators {
  /** Undefined: the chain has no TLS, or its certificate or trust has not come. */
  of(chain: FilterChain): TlsTerminator | undefined
  /** Forgets those of chains that the listener has no more. */
  retain(listener: Listener): void
}

/** What a chain's was made with. */
interface Terminator {
  readonly certificates: readonly KeyPair[]
  readonly trustPem: string | undefined
  readonly tls: TlsTerminator
}

/** None yet. */
export function chainTerminators(secrets: Secrets, clock: Clock): ChainTerminators {
  const terminators = new Map<FilterChain, Terminator>()
  return {
    of(chain) {
      const { tls } = chain
      if (tls === undefined) return undefined
      const certificates = [tls.certificate, ...(tls.moreCertificates ?? [])].flatMap(
        (source) => secrets.certificate(source) ?? [],
      )
      const [first, ...more] = certificates
      const trustPem = tls.trust && secrets.trust(tls.trust)
      if (first === undefined || (tls.trust !== undefined && trustPem === undefined)) return undefined
      const known = terminators.get(chain)
      if (known !== undefined && known.trustPem === trustPem && sameMembers(known.certificates, certificates))
        return known.tls
      const terminator = terminateTls(tls, { certificates: [first, ...more], trustPem, clock })
      terminators.set(chain, { certificates, trustPem, tls: terminator })
      return terminator
    },
    retain({ filterChains, defaultFilterChain }) {
      for (const chain of terminators.keys())
        if (!filterChains.includes(chain) && chain !== defaultFilterChain) terminators.delete(chain)
    },
  }
}

const sameMembers = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])
