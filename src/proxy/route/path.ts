/**
 * The path (and query) that authorization, routes and the upstream all see, or undefined: the request is refused with 400. What
 * different programs would read differently is made one form or refused: `.` and `..` segments are removed, `//` is merged,
 * escapes of unreserved characters are decoded (RFC 3986, section 6.2.2); refused are `#`, backslash, `%2F`, `%5C`, `%00`, an
 * escape that is none, `;` in a dot segment, controls and blanks, and what does not start with "/" (but "*").
 * The query stays as it is. An ordinary path costs one pass and no allocation. Not for CONNECT.
 */
export function normalizePath(
  target: string,
  { dots, mergeSlashes }: { readonly dots: boolean; readonly mergeSlashes: boolean } = ordinaryShape,
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
  const path = dots ? unescapeUnreserved(target.slice(0, end)) : target.slice(0, end)
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

function unescapeUnreserved(path: string): string | undefined {
  let refused = false
  const decoded = path.replace(/%(.{0,2})/gs, (escape, digits: string) => {
    if (!/^[0-9A-Fa-f]{2}$/.test(digits)) refused = true
    const code = Number.parseInt(digits, 16)
    if (code === 0 || code === slash || code === backslash) refused = true
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
