/** Which resource of the user made this; `weft.dev` metadata. Absent under a foreign control plane. */
export interface Origin {
  /** "HTTPRoute default/reviews". */
  readonly resource: string
  /** "spec.rules[0]". */
  readonly field: string
  readonly revision: string
}
