import type { HeaderMatch, StringMatch } from './matching.ts'
import type { Origin } from './origin.ts'

/**
 * Envoy's RBAC: `allow`: at least one policy must match; `deny`: none may; `log`: never refuses, counts only (AUDIT).
 */
export interface Authorization {
  readonly action: 'allow' | 'deny' | 'log'
  readonly policies: readonly AuthorizationRule[]
}

export interface AuthorizationRule {
  /** "default/catalog-viewers/rule-0": what a refusal names. */
  readonly name: string
  readonly permission: Condition
  readonly principal: Condition
  readonly origin: Origin | undefined
}

/** A question to a call; pure. Something undecidable never counts as a match for ALLOW and always for DENY. */
export type Condition =
  | { readonly kind: 'any' }
  | { readonly kind: 'and'; readonly all: readonly Condition[] }
  | { readonly kind: 'or'; readonly any: readonly Condition[] }
  | { readonly kind: 'not'; readonly not: Condition }
  | { readonly kind: 'header'; readonly match: HeaderMatch }
  /** The path without the query. */
  | { readonly kind: 'path'; readonly match: StringMatch }
  | { readonly kind: 'destination-port'; readonly port: number }
  /** The proven SPIFFE ID; plain text has none and never matches. */
  | { readonly kind: 'principal'; readonly match: StringMatch | undefined }
  /** Whoever connected. */
  | { readonly kind: 'source-ip'; readonly prefix: string; readonly bits: number }
  /** Who asks: see `clientOf`. */
  | { readonly kind: 'client-ip'; readonly prefix: string; readonly bits: number }
