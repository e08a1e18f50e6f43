/** Which resource and field caused a part of the configuration. `revision` is that resource's own resourceVersion. */
export interface Origin {
  /** "HTTPRoute default/reviews". */
  readonly resource: string
  /** "spec.rules[0]". */
  readonly field: string
  readonly revision: string
}
