/** What is done about a path. */
export interface PathForm {
  /** Remove `.` and `..`, and decode what need not be escaped. */
  readonly dots: boolean
  readonly mergeSlashes: boolean
  /** `%2F` and `%5C` stay as they are; absent: they are refused. */
  readonly keepSlashes?: boolean
}

/**
 * The path (and query) that authorization, routes and the upstream all see, or undefined: the request is refused with 400. What
 * different programs would read differently is made one form or refused: `.` and `..` segments are removed, `//` is merged,
 * escapes of unreserved characters are decoded (RFC 3986, section 6.2.2); refused are `#`, backslash, `%2F`, `%5C`, `%00`, an
 * escape that is none, `;` in a dot segment, controls and blanks, and what does not start with "/" (but "*").
 * The query stays as it is. An ordinary path costs one pass and no allocation. Not for CONNECT.
 */
export function normalizePath(
  target: string,
  { dots, mergeSlashes, keepSlashes = false }: PathForm = ordinaryShape,
): string | undefined {
  if (target.charCodeAt(0) !== slash) return target === '*' ? target : undefined
  let ordinary = true
  let previous = 0
  let end = target.length
  for (let at = 0; at < end; at++) {
    const code = target.charCodeAt(at)
    if (code === question) {
      end = at
      break
    }
    if (code <= 0x20 || code === 0x7f || code === hash || code === backslash) return undefined
    if (code === percent || (previous === slash && (code === slash || code === dot))) ordinary = false
    previous = code
  }
  for (let at = end; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f || code === hash) return undefined
  }
  if (ordinary) return target
  const path = dots ? unescapeUnreserved(target.slice(0, end), keepSlashes) : target.slice(0, end)
  const merged = mergeSlashes ? path?.replaceAll(/\/{2,}/g, '/') : path
  const clean = merged === undefined || !dots ? merged : withoutDotSegments(merged)
  return clean === undefined ? undefined : clean + target.slice(end)
}

const ordinaryShape = { dots: true, mergeSlashes: true }

/** A path that is to stay as it is; undefined if it has a blank, a control character or a fragment, or is no path at all. */
export function soundPath(target: string): string | undefined {
  if (target.charCodeAt(0) !== slash) return target === '*' ? target : undefined
  for (let at = 0; at < target.length; at++) {
    const code = target.charCodeAt(at)
    if (code <= 0x20 || code === 0x7f || code === hash) return undefined
  }
  return target
}

/** The same with `%2F` and `%5C` decoded, once; the query stays. Most paths come back as they are. */
export function decodeSlashes(target: string): string {
  if (!target.includes('%')) return target
  const path = pathOf(target)
  const plain = path.replace(/%(?:2f|5c)/gi, (escape) => (escape[1] === '2' ? '/' : '\\'))
  return plain === path ? target : plain + target.slice(path.length)
}

/** The part before the query; no allocation when there is none. */
export function pathOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? target : target.slice(0, question)
}

/** The part after the "?", or the empty text. */
export function queryOf(target: string): string {
  const question = target.indexOf('?')
  return question < 0 ? '' : target.slice(question + 1)
}

function unescapeUnreserved(path: string, keepSlashes: boolean): string | undefined {
  let refused = false
  const decoded = path.replace(/%(.{0,2})/gs, (escape, digits: string) => {
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) refused = true
    const code = Number.parseInt(digits, 16)
    if (code === slash || code === backslash) {
      refused ||= !keepSlashes
      return escape
    }
    if (code === 0) refused = true
    const character = String.fromCharCode(code)
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape.toUpperCase()
  })
  return refused ? undefined : decoded
}

/** RFC 3986, section 5.2.4; empty segments stay. */
function withoutDotSegments(path: string): string | undefined {
  const kept: string[] = []
  const segments = path.slice(1).split('/')
  for (const [index, segment] of segments.entries()) {
    if (/^\.{1,2};/.test(segment)) return undefined
    const isDot = segment === '.' || segment === '..'
    if (segment === '..') kept.pop()
    else if (!isDot) kept.push(segment)
    if (isDot && index === segments.length - 1) kept.push('')
  }
  return `/${kept.join('/')}`
}

const slash = 0x2f
const question = 0x3f
const hash = 0x23
const backslash = 0x5c
const percent = 0x25
const dot = 0x2e
