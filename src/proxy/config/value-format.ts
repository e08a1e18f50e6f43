/** A part of a text that is made for each call: text as it is, or something about the call. Source: Envoy, command operators of access logs. */
export type ValuePart = string | ValueCommand

/** One command operator. */
export type ValueCommand =
  /** The first of these fields that is there, at most `longest` characters. Lower case. */
  | {
      readonly kind: 'request-header' | 'response-header' | 'response-trailer'
      readonly names: readonly string[]
      readonly longest?: number
    }
  | { readonly kind: PlainCommand }
  /** `pattern`: as strftime has it; see base/strftime.ts. */
  | {
      readonly kind: 'start-time' | 'emit-time' | 'peer-valid-from' | 'peer-valid-until'
      readonly pattern: string
      readonly local?: true
    }
  | { readonly kind: 'grpc-status'; readonly as: 'camel' | 'snake' | 'number' }
  /** Never changes while the process lives. Undefined: it is not there. */
  | { readonly kind: 'constant'; readonly value: string | undefined }

/** Commands that need nothing said. */
export type PlainCommand = CommandSoFar | CommandAtEnd

/** Known while the call is still under way. */
export type CommandSoFar =
  | 'remote-address'
  | 'remote-host'
  | 'remote-port'
  | 'direct-remote-address'
  | 'direct-remote-host'
  | 'direct-remote-port'
  | 'local-address'
  | 'local-host'
  | 'local-port'
  | 'protocol'
  | 'response-code'
  | 'cluster'
  | 'upstream-host'
  | 'server-name'
  | 'tls-version'
  | 'tls-cipher'
  | 'connection-id'
  | PeerCommand

/** What the caller's certificate says. */
export type PeerCommand =
  | 'peer-uri'
  | 'peer-dns'
  | 'peer-ip'
  | 'peer-email'
  | 'peer-subject'
  | 'peer-issuer'
  | 'peer-serial'
  | 'peer-sha256'
  | 'peer-sha1'
  | 'peer-certificate'

/** Known when it is over. Durations are whole milliseconds. */
export type CommandAtEnd =
  | 'route'
  | 'duration'
  | 'request-duration'
  | 'response-duration'
  | 'response-tx-duration'
  | 'bytes-received'
  | 'bytes-sent'
  | 'response-details'
  | 'termination-details'
  | 'flags'
  | 'long-flags'
  | 'attempts'
  | 'upstream-local-address'
  | 'upstream-local-host'
  | 'upstream-local-port'
  | 'upstream-protocol'
  | 'transport-failure'
  | 'stream-id'
  | 'unique-id'
  | 'log-type'
