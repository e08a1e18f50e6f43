import type { Watchable } from '../base/watchable.ts'
import type { ProxyConfig, Secrets } from './config.ts'
import type { IdentityMaterial } from './sidecar-messages.ts'

/** Looks into the newest configuration and the newest identity. */
export function createSecrets(
  config: Pick<Watchable<ProxyConfig>, 'value'>,
  identity: Pick<Watchable<IdentityMaterial>, 'value'> | undefined,
): Secrets {
  return {
    certificate(source) {
      if (source === 'own') return identity?.value
      return 'secret' in source ? config.value.certificates.get(source.secret) : source
    },
    trust: (source) => ('secret' in source ? config.value.trust.get(source.secret) : source.pem),
  }
}
