import type { HeaderField } from '../headers.ts'
import { limits } from './limits.ts'
import { readField, role } from './field.ts'

/** How a body ends: after so many bytes (≥ 0), by its last chunk, or with the connection. */
export const chunked = -1
export const untilClose = -2

/** What the fields of one head say, the codec's own ones taken off. */
export interface FieldBlock {
  headers: HeaderField[]
  /** Undefined: no Content-Length. */
  contentLength: number | undefined
  chunked: boolean
  host: string | undefined
  /** What Connection says. */
  close: boolean
  keepAlive: boolean
  /** Lower case; only when Connection names it too. */
  upgrade: string | undefined
  expect: string | undefined
}

/** Why a head is refused, and the status that says so. */
export interface Refusal {
  readonly status: 400 | 408 | 414 | 417 | 431 | 501 | 505
  readonly cause: string
}

export const isRefusal = (value: object): value is Refusal => 'cause' in value

const refuse = (cause: string): Refusal => ({ status: 400, cause })

/**
 * Reads the field lines of `text` from `start` (after the first line's end) on. Framing is decided here, once and strictly
 * (RFC 9112, section 6.3): two lengths, a length beside a transfer coding, or any coding but exactly "chunked" are refused, since
 * two readers may disagree about them.
 */
export function readFields(text: string, start: number): FieldBlock | Refusal {
  const block: FieldBlock = {
    headers: [],
    contentLength: undefined,
    chunked: false,
    host: undefined,
    close: false,
    keepAlive: false,
    upgrade: undefined,
    expect: undefined,
  }
  let named: string[] | undefined
  let upgrade: string | undefined
  let count = 0
  let at = start
  while (at < text.length) {
    let end = text.indexOf('\r\n', at)
    if (end < 0) end = text.length
    const field = readField(text.slice(at, end))
    if (field === undefined) return refuse('a header line is not a valid field')
    if (++count > limits.fields) return { status: 431, cause: `more than ${limits.fields} header fields` }
    at = end + 2
    switch (field.role) {
      case role.none:
        block.headers.push(field)
        break
      case role.host:
        if (block.host !== undefined) return refuse('more than one Host')
        block.host = field.value
        break
      case role.contentLength:
        if (block.contentLength !== undefined) return refuse('more than one Content-Length')
        if (!/^\d{1,15}$/.test(field.value)) return refuse('Content-Length is not a number of bytes')
        block.contentLength = Number(field.value)
        break
      case role.transferEncoding:
        if (block.chunked) return refuse('more than one Transfer-Encoding')
        if (field.value.toLowerCase() !== 'chunked') return refuse('Transfer-Encoding is not exactly "chunked"')
        block.chunked = true
        break
      case role.connection:
        named = readConnection(field.value, block, named)
        break
      case role.upgrade:
        upgrade = upgrade === undefined ? field.value : `${upgrade},${field.value}`
        break
      case role.expect:
        block.expect = field.value.toLowerCase()
        block.headers.push(field)
        break
      case role.hop:
        break
    }
  }
  if (block.chunked && block.contentLength !== undefined) return refuse('both Content-Length and Transfer-Encoding')
  if (named !== undefined) {
    const names = named
    if (upgrade !== undefined && names.includes('upgrade')) block.upgrade = upgrade.toLowerCase()
    block.headers = block.headers.filter((field) => !names.includes(field.name))
  }
  return block
}

/** Notes "close" and "keep-alive"; returns the other names, whose fields go no further than this hop. */
function readConnection(value: string, block: FieldBlock, before: string[] | undefined): string[] | undefined {
  let named = before
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase()
    if (option === 'close') block.close = true
    else if (option === 'keep-alive') block.keepAlive = true
    else if (option !== '') (named ??= []).push(option)
  }
  return named
}
