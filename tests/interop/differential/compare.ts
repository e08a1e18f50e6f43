import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { parse } from 'yaml'
import type { Outcome } from './ask.ts'
import { doHeader, idHeader, type Seen } from './backends.ts'
import type { CaseRequest, Expectation } from './case.ts'
import type { Reply } from './client.ts'

/** A line of `allowed.yaml`. */
interface Allowed {
  readonly in: 'reply' | 'seen'
  readonly header: string
  readonly presence?: 'any'
  /** `addresses`: a list, in which addresses of this machine are equal. */
  readonly value?: 'any' | 'addresses'
  /** Envoy's value, and Weft's for the same. */
  readonly same?: readonly [string, string]
  /** Only where the proxy answers by itself. */
  readonly own?: boolean
  /** Only in this case. */
  readonly case?: string
  readonly reason: string
}

const allowed = parse(fs.readFileSync(path.join(import.meta.dirname, 'allowed.yaml'), 'utf8')) as readonly Allowed[]

/** What is compared, with what is allowed to differ taken out. */
export function comparable({ exchange, seen }: Outcome, request: CaseRequest, name: string): unknown {
  const own = request.own === true
  const rule = (place: Allowed['in'], header: string): Allowed | undefined =>
    allowed.findLast(
      (one) =>
        one.in === place &&
        one.header === header &&
        (one.case === undefined || one.case === name) &&
        (one.own !== true || own),
    )
  const fields = (place: Allowed['in'], list: readonly (readonly [string, string])[]): unknown[] =>
    list
      .flatMap(([header, value]) => {
        const may = rule(place, header)
        if (may?.presence === 'any' || header === idHeader || header === doHeader) return []
        // Envoy says so of a request without a body, Weft says nothing.
        if (place === 'seen' && header === 'content-length' && value === '0') return []
        if (may?.value === 'addresses') return [`${header}: ${ownAddresses(value)}`]
        if (may?.value === 'any') return [`${header}: (any)`]
        return [`${header}: ${value === may?.same?.[1] ? may.same[0] : value}`]
      })
      .toSorted()
  const reply = (one: Reply): unknown => ({
    status: one.status,
    before: one.before,
    headers: fields('reply', one.headers),
    // What a proxy says by itself is said in its own words.
    ...(own ? {} : { body: one.body }),
    // HTTP/1.1 trailers pass Weft; Envoy takes them off unless it is told.
    ...(own || request.h2 !== true || seen.at(-1)?.protocol.startsWith('HTTP/2') !== true
      ? {}
      : { trailers: one.trailers }),
  })
  return {
    replies: exchange.replies.map(reply),
    rest: exchange.rest,
    end:
      (own && request.raw === undefined) || request.tcp !== undefined || request.ends !== undefined
        ? undefined
        : ending(exchange.end),
    tls: exchange.tls,
    seen: seen.map((one) => ({
      ...one,
      // Hosts have no case; Weft writes them in lower case.
      authority: one.authority.toLowerCase(),
      trailers: request.h2 === true && one.protocol.startsWith('HTTP/2') ? one.trailers : undefined,
      headers: fields('seen', listOf(one.headers)),
    })),
  }
}

/** How TLS says that it refuses a client is told by each in its own way. */
const ending = (end: string): string => (end.startsWith('broken: ERR_SSL') || end === 'closed' ? 'closed' : end)

const machine = new Set(
  Object.values(os.networkInterfaces()).flatMap((list) => (list ?? []).map(({ address }) => address)),
)
const ownAddresses = (list: string): string =>
  list
    .split(',')
    .map((one) => (machine.has(one.trim()) ? 'this machine' : one.trim()))
    .join(', ')

const listOf = (headers: Seen['headers']): [string, string][] =>
  Object.entries(headers).flatMap(([name, values]) => values.map((value): [string, string] => [name, value]))

/** What is expected of both and not true of this one. */
export function unexpected(expect: Expectation, { exchange, seen, shares, tookMs }: Outcome): readonly string[] {
  const problems: string[] = []
  if (expect.shares !== undefined) problems.push(...differentShares(shares ?? {}, expect.shares))
  const is = (what: string, actual: unknown, wanted: unknown): void => {
    if (wanted !== undefined && actual !== wanted)
      problems.push(`${what} is ${JSON.stringify(actual)}, expected ${JSON.stringify(wanted)}`)
  }
  const reply = exchange.replies.at(-1)
  const last = seen.at(-1)
  is('status', reply?.status, expect.status)
  is('backend', last?.backend, expect.backend)
  is('from', last?.from, expect.from)
  is('path', last?.path, expect.path)
  is('authority', last?.authority, expect.authority)
  is('attempts', seen.length, expect.attempts)
  if (tookMs < (expect.at_least_ms ?? 0)) problems.push(`it took ${tookMs} ms, expected at least ${expect.at_least_ms}`)
  const value = (list: readonly (readonly [string, string])[], name: string): string | null => {
    const found = list.filter(([one]) => one === name).map(([, one]) => one)
    return found.length === 0 ? null : found.join(' | ')
  }
  for (const [name, wanted] of Object.entries(expect.reply ?? {}))
    is(`reply ${name}`, value(reply?.headers ?? [], name), wanted)
  for (const [name, wanted] of Object.entries(expect.seen ?? {}))
    is(`seen ${name}`, value(listOf(last?.headers ?? {}), name), wanted)
  return problems
}

/** Shares of the two, that differ by more than chance. */
export function differentShares(
  a: Readonly<Record<string, number>>,
  b: Readonly<Record<string, number>>,
): readonly string[] {
  const total = (shares: Readonly<Record<string, number>>): number =>
    Object.values(shares).reduce((sum, one) => sum + one, 0)
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].flatMap((name) => {
    const [left, right] = [(a[name] ?? 0) / total(a), (b[name] ?? 0) / total(b)]
    // Five standard deviations of the difference of two shares of so many.
    const most = 5 * Math.sqrt(0.5 / total(a))
    return Math.abs(left - right) > most ? [`${name || 'nobody'}: ${left.toFixed(2)} and ${right.toFixed(2)}`] : []
  })
}
