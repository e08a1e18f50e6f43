import type { NumberRange } from '../../base/string-match.ts'

export type StringMatch = (
  | { readonly kind: 'exact'; readonly value: string }
  | { readonly kind: 'prefix'; readonly value: string }
  | { readonly kind: 'suffix'; readonly value: string }
  | { readonly kind: 'contains'; readonly value: string }
  /** RE2 syntax, must match the whole string. */
  | { readonly kind: 'regex'; readonly value: string }
) & { readonly ignoreCase: boolean }

/** Also for query parameters. `match` undefined: present. `:method` and `:authority` are names too. */
export interface HeaderMatch {
  readonly name: string
  readonly match: StringMatch | NumberRange | undefined
  readonly invert: boolean
  /** A header that is not there is "". xDS: treat_missing_header_as_empty. */
  readonly missingIsEmpty?: boolean
}
