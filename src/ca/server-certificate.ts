import type { Clock, Timer } from '../base/clock.ts'
import type { Log } from '../base/log.ts'
import type { Random } from '../base/random.ts'
import { settable, type Watchable } from '../base/watchable.ts'
import type { CertificateAuthority, IssuedCertificate, ServerNames } from './authority.ts'
import { renewAfterMs, retryRenewalAfterMs } from './renewal.ts'

/** The control plane's own certificate, always fresh. */
export interface ServerCertificate {
  readonly current: Watchable<IssuedCertificate>
  /** Ends the renewals. */
  close(): void
}

/** Issues at once and again at half life; connections that are open keep what they began with. Timers do not keep the process alive. */
export async function keepServerCertificate(
  names: ServerNames,
  parts: { readonly ca: CertificateAuthority; readonly clock: Clock; readonly random: Random; readonly log: Log },
): Promise<ServerCertificate> {
  const { ca, clock, random, log } = parts
  const current = settable(await ca.issueServer(names))
  let failures = 0
  let closed = false
  let timer: Timer | undefined

  const remainingMs = (): number => current.value.notAfterMs - clock.wallMs()
  const after = (delayMs: number): void => {
    if (!closed) timer = clock.after(delayMs, () => void renew(), { background: true })
  }
  const renew = async (): Promise<void> => {
    try {
      const fresh = await ca.issueServer(names)
      failures = 0
      if (!closed) current.set(fresh)
      log.debug('server certificate renewed', { until: new Date(fresh.notAfterMs).toISOString() })
      after(renewAfterMs(remainingMs(), random))
    } catch (error) {
      log.warn('server certificate not renewed', { cause: String(error) })
      after(retryRenewalAfterMs(++failures, remainingMs(), random))
    }
  }
  after(renewAfterMs(remainingMs(), random))
  return {
    current,
    close() {
      closed = true
      timer?.cancel()
    },
  }
}
