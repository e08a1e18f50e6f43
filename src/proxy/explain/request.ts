import { list, object, oneOf, optional, refine, string, invalid, type Decoder } from '../../base/decode.ts'

/** A request that nobody sends: what would happen to it here, and why. */
export interface ExplainRequest {
  readonly method: string
  /** For gateways; absent: http. */
  readonly scheme?: 'http' | 'https'
  /** Host, with a port if it is not that of the scheme. */
  readonly authority: string
  /** Path and query. */
  readonly path: string
  readonly headers: readonly (readonly [name: string, value: string])[]
  /**
   * For the callee's side: the inbound listener's address, who calls ("" over plain text), and the TLS server name that an egress
   * gateway goes by. Absent: the caller's side.
   */
  readonly inbound?: { readonly address: string; readonly principal: string; readonly serverName?: string }
}

const token = string({ form: /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/, expected: 'a token' })
const text = string({ form: /^[^\r\n]{0,8192}$/, expected: 'one line of at most 8192 characters' })

/** A host, with or without a port. */
export const hostText: Decoder<string> = string({ form: /^[A-Za-z0-9.:[\]_-]{1,255}$/, expected: 'a host' })
/** Path and query. */
export const pathText: Decoder<string> = string({
  form: /^\/[^\s#]{0,8191}$/,
  expected: 'a path that begins with "/"',
})

/** What came through the agent's session. */
export const explainRequest: Decoder<ExplainRequest> = object<ExplainRequest>({
  method: token,
  scheme: optional(oneOf('http', 'https')),
  authority: hostText,
  path: pathText,
  headers: list(
    refine(list(text, { min: 2, max: 2 }), ([name, value]) =>
      name === undefined || value === undefined ? invalid : ([name, value] as const),
    ),
    { max: 100 },
  ),
  inbound: optional(
    object<NonNullable<ExplainRequest['inbound']>>({ address: text, principal: text, serverName: optional(hostText) }),
  ),
})
