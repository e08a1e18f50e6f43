/** Which resource of the user made this; `weft.dev` metadata. Absent under a foreign control plane. */
export interface Origin {
  /** "HTTPRoute default/reviews". */
  readonly resource: string
  /** "spec.rules[0]". */
  readonly field: string
  readonly revision: string
}

/** Which policies gave which settings, by the policy's field ("timeouts.request"); `weft.dev` metadata `settings`. */
export type SettingOrigins = ReadonlyMap<string, Origin>
