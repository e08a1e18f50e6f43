import { cookieValue, setCookie as writeCookie } from '../../base/cookie.ts'
import { hexHash, rotatedByOne, xorHash, xxHash64, type Hash64 } from '../../base/xx-hash.ts'
import type { HashPolicy } from '../config.ts'
import { headerField, type HeaderField } from '../http/headers.ts'
import { clientOf, isFault, type Call, type Layer } from '../http/service.ts'
import { callValue, queryValue } from './header-match.ts'

/** What a call is known by, and the cookie by which its next ones will be. */
export interface CallHash {
  /** Undefined: no policy found what it looks for. */
  readonly hash: Hash64 | undefined
  readonly setCookie: HeaderField | undefined
}

/** Gives calls their hash, and clients without it the cookie that it is taken from; undefined: nothing to do. */
export function hashing(policies: readonly HashPolicy[] | undefined): Layer | undefined {
  if (policies === undefined || policies.length === 0) return undefined
  return (next) => (call) => {
    const { hash, setCookie } = hashOf(policies, call)
    call.hash = hash
    if (setCookie === undefined) return next(call)
    return next(call).then((answer) =>
      isFault(answer) ? answer : { ...answer, headers: [...answer.headers, setCookie] },
    )
  }
}

/**
 * The hashes of all policies that find something, mixed in order; those behind a terminal one that did are not asked. Pure. The same
 * as Envoy's: `HashPolicyImpl::generateHash`.
 */
export function hashOf(policies: readonly HashPolicy[], call: Call): CallHash {
  let hash: Hash64 | undefined
  let setCookie: HeaderField | undefined
  for (const policy of policies) {
    let found = keyOf(policy, call)
    if (policy.kind === 'cookie' && policy.generate !== undefined && !found) {
      found = generatedValue(call)
      setCookie = headerField('set-cookie', writeCookie(policy.name, found, policy.generate))
    }
    if (found !== undefined) {
      const one = typeof found === 'string' ? xxHash64(found) : hashOfAll(found)
      hash = hash === undefined ? one : xorHash(rotatedByOne(hash), one)
    }
    if (policy.terminal && hash !== undefined) break
  }
  return { hash, setCookie }
}

function keyOf(policy: HashPolicy, call: Call): string | readonly string[] | undefined {
  switch (policy.kind) {
    case 'header':
      return headerValues(call, policy.name)
    case 'cookie':
      return cookieValue(call.headers, policy.name)
    case 'source-ip':
      return clientOf(call).host || undefined
    case 'query-parameter':
      return queryValue(call.path, policy.name)
  }
}

function headerValues(call: Call, name: string): string | readonly string[] | undefined {
  if (name.startsWith(':') || name === 'host') return callValue(name)(call)
  const values: string[] = []
  for (const field of call.headers) if (field.name === name) values.push(field.value)
  return values.length > 1 ? values.toSorted() : values[0]
}

/** In whatever order they came: each is the seed of the next. */
const hashOfAll = (values: readonly string[]): Hash64 =>
  values.reduce<Hash64 | undefined>((seed, value) => xxHash64(value, seed), undefined) ?? xxHash64('')

/** The same for all calls of one connection, so that several at once get the same one. */
const generatedValue = ({ peer: { remote, local } }: Call): string =>
  hexHash(xxHash64(`${remote.host}:${remote.port}${local.host}:${local.port}`))
