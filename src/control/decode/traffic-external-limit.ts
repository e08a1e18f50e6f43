import {
  boolean,
  invalid,
  list,
  object,
  oneOf,
  optional,
  refine,
  withDefault,
  type Decoder,
} from '../../base/decode.ts'
import { positiveDuration } from './duration.ts'
import { headerName } from './header-modifier.ts'
import { backendObjectRef, type BackendObjectRef } from './service-ref.ts'
import { shortText } from './short-text.ts'
import { orFalse } from './traffic-outlier.ts'

/** A limiter that somebody else runs, by Envoy's rate limit protocol. */
export interface ExternalRateLimitSpec {
  readonly backendRef: BackendObjectRef
  /** By which the limiter tells its users apart. */
  readonly domain: string
  /** How long its answer is waited for, ms. */
  readonly timeout: number
  /** What becomes of requests without an answer. */
  readonly failureMode: 'Open' | 'Closed'
  /** Replies tell what is left. */
  readonly rateLimitHeaders: boolean
  /** What it is asked about each request; one whose entries are not all there is left out. */
  readonly descriptors: readonly { readonly entries: readonly LimitEntrySpec[] }[]
}

/** One of them. */
export type LimitEntrySpec =
  | { readonly key: string; readonly header: string }
  | { readonly key: string; readonly value: string }
  | { readonly remoteAddress: true }

interface WrittenEntry {
  readonly key?: string
  readonly header?: string
  readonly value?: string
  readonly remoteAddress?: boolean
}

const entry: Decoder<LimitEntrySpec> = refine(
  object<WrittenEntry>({
    key: optional(shortText),
    header: optional(headerName),
    value: optional(shortText),
    remoteAddress: optional(boolean),
  }),
  ({ key, header, value, remoteAddress }, path, issues) => {
    if (header !== undefined && value === undefined && remoteAddress === undefined)
      return { key: key ?? header.toLowerCase(), header: header.toLowerCase() }
    if (value !== undefined && key !== undefined && header === undefined && remoteAddress === undefined)
      return { key, value }
    if (remoteAddress === true && key === undefined && header === undefined && value === undefined)
      return { remoteAddress }
    issues.push({
      path,
      message: 'expected { header } with or without key, { key, value }, or { remoteAddress: true }',
    })
    return invalid
  },
)

const shortestMs = 20
const longestMs = 200
/** Every request waits for it. */
const timeout: Decoder<number> = refine(positiveDuration, (ms, path, issues) => {
  if (ms >= shortestMs && ms <= longestMs) return ms
  issues.push({ path, message: `expected ${shortestMs}ms to ${longestMs}ms: every request waits for the answer` })
  return invalid
})

/** `false`: none, whatever wider policies say. */
export const externalRateLimitSpec: Decoder<ExternalRateLimitSpec | false> = orFalse(
  object<ExternalRateLimitSpec>({
    backendRef: backendObjectRef,
    domain: shortText,
    timeout: withDefault(timeout, 100),
    failureMode: withDefault(oneOf('Open', 'Closed'), 'Open'),
    rateLimitHeaders: withDefault(boolean, true),
    descriptors: list(
      object<{ readonly entries: readonly LimitEntrySpec[] }>({ entries: list(entry, { min: 1, max: 8 }) }),
      { min: 1, max: 16 },
    ),
  }),
)
