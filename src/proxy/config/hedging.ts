/** Of a call that takes long another attempt is made elsewhere, and the first good reply counts. */
export interface Hedging {
  /** The time in which this share of the attempts of late had the head of its reply, as it is learnt, in (0, 1); or so many ms. */
  readonly after: { readonly quantile: number } | { readonly ms: number }
  /** The first one included; ≥ 2. */
  readonly maxAttempts: number
  /** Whatever the method; false: only idempotent ones. */
  readonly anyMethod: boolean
  /** The wait is a timeout of the attempt, and told as one, though it may still be answered. xDS: hedge_on_per_try_timeout. */
  readonly tellsTimeouts?: true
}
