import { randomBytes } from 'node:crypto'
import { parseAddress, type Address } from '../base/address.ts'
import type { Clock } from '../base/clock.ts'
import { openSeal, type Seal } from './sealed-claims.ts'

const prefix = 'weft1.'
const purpose = 'join'
const sessionPurpose = 'session'
const textLimit = 8192

/** What a bearer may be; an absent field leaves the choice to it. */
export interface JoinClaims {
  readonly namespace?: string
  readonly serviceAccount?: string
}

/** All that somebody on another machine needs to join: one string, `weft1.…`. */
export interface JoinToken {
  /** The control plane's agent and ADS port. */
  readonly address: Address
  /** "sha256:…" of the root certificate: the joiner believes no other. */
  readonly rootHash: string
  /** For `JoinRequest.token`. */
  readonly secret: string
}

/** Issues and checks join tokens; nothing is stored per token. */
export interface JoinTokens {
  issue(wish: JoinClaims & { readonly ttlMs: number; readonly address: string; readonly rootHash: string }): string
  /** Checks the secret part. The sentence of a refusal is for the person who joins. */
  verify(secret: string): JoinClaims | { readonly refused: string }
  /** A session token: says which workload its bearer joined as. */
  sealSession(session: SessionClaims): string
  /** Undefined for anything that this control plane did not seal as a session token. */
  unsealSession(text: string): SessionClaims | undefined
}

/** Which run of which agent a session belongs to. */
export interface SessionClaims {
  readonly namespace: string
  readonly workload: string
  readonly instance: string
  readonly spiffeId: string
}

/** Join tokens sealed with the key in `dir`; refused when that key is damaged or open to others. */
export function createJoinTokens(parts: {
  readonly dir: string
  readonly clock: Clock
}): JoinTokens | { readonly refused: string } {
  const seal = openSeal(parts.dir)
  return 'refused' in seal ? seal : joinTokens(seal, parts.clock)
}

function joinTokens(seal: Seal, clock: Clock): JoinTokens {
  return {
    issue({ ttlMs, namespace, serviceAccount, address, rootHash }) {
      const claims = { exp: clock.wallMs() + ttlMs, id: randomBytes(6).toString('hex'), namespace, serviceAccount }
      const token = { address, rootHash, secret: seal.seal(purpose, claims) }
      return prefix + Buffer.from(JSON.stringify(token)).toString('base64url')
    },
    verify(secret) {
      const unsealed = seal.unseal(purpose, secret)
      if (unsealed.kind === 'damaged') return { refused: 'the join token is damaged; copy it again, whole' }
      if (unsealed.kind === 'foreign') {
        return { refused: 'the join token was made by another control plane; make one here with `weft token create`' }
      }
      // Sealed by ourselves: the shape is ours.
      const { exp, namespace, serviceAccount } = unsealed.claims as JoinClaims & { exp: number }
      if (exp <= clock.wallMs()) {
        const at = new Date(exp).toISOString()
        return { refused: `the join token expired at ${at}; make a new one with \`weft token create\`` }
      }
      return {
        ...(namespace === undefined ? {} : { namespace }),
        ...(serviceAccount === undefined ? {} : { serviceAccount }),
      }
    },
    sealSession: (session) => seal.seal(sessionPurpose, session),
    unsealSession(text) {
      const unsealed = seal.unseal(sessionPurpose, text)
      return unsealed.kind === 'claims' ? (unsealed.claims as SessionClaims) : undefined
    },
  }
}

/** What stands in a token as people pass it on (white space around it does not matter), or why it is none. */
export function parseJoinToken(text: string): JoinToken | { readonly refused: string } {
  const trimmed = text.trim()
  if (!trimmed.startsWith(prefix)) return { refused: `this is no join token (one begins with "${prefix}")` }
  const damaged = { refused: 'the join token is damaged; copy it again, whole' }
  if (trimmed.length > textLimit) return damaged
  const fields = readJson(Buffer.from(trimmed.slice(prefix.length), 'base64url').toString('utf8'))
  if (typeof fields !== 'object' || fields === null) return damaged
  const { address, rootHash, secret } = fields as Record<string, unknown>
  const parsed = typeof address === 'string' ? parseAddress(address) : undefined
  if (parsed === undefined || parsed.port === 0 || typeof secret !== 'string') return damaged
  if (typeof rootHash !== 'string' || !/^sha256:[0-9a-f]{64}$/.test(rootHash)) return damaged
  return { address: parsed, rootHash, secret }
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
