import type { RetryPolicy } from '../config.ts'
import { headerValue } from '../http/headers.ts'
import type { Reply } from '../http/service.ts'

/**
 * How long a reply asks to be left alone, ms: what the first header says that is there, makes sense and is not too long. Undefined: it asks for
 * nothing. `wallMs`: now, since 1970. Pure. Source: Envoy, RateLimitedRetryBackOff; RFC 9110, section 10.2.3, Retry-After in seconds.
 */
export function askedWaitMs(
  { headers }: Pick<Reply, 'headers'>,
  { resetHeaders, mostMs }: NonNullable<RetryPolicy['askedWait']>,
  wallMs: number,
): number | undefined {
  for (const { name, says } of resetHeaders) {
    const value = headerValue(headers, name)
    if (value === undefined || !/^\d{1,12}$/.test(value)) continue
    const waitMs = Number(value) * 1000 - (says === 'time' ? wallMs : 0)
    if (waitMs >= 0 && waitMs <= mostMs) return waitMs
  }
  return undefined
}
