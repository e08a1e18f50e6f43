/** How calls of one session find the endpoint of the first one again. xDS: StatefulSession. */
export type SessionState = (
  | {
      readonly kind: 'cookie'
      readonly name: string
      /** For paths below only; "" or "/": for all. */
      readonly path: string
      /** Seconds; 0: until the browser is closed. */
      readonly ttlS: number
      /** A session that is not used for so many seconds is over; absent: it goes on. Of our own control plane only. */
      readonly idleS?: number
      /** "name" or "name=value". */
      readonly attributes: readonly string[]
    }
  /** Lower case. */
  | { readonly kind: 'header'; readonly name: string }
) & {
  /** Calls whose endpoint is gone are refused; else they get another one. */
  readonly strict: boolean
}
