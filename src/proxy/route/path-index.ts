import { compileRegex, type TextTest } from '../../base/regex.ts'
import { asWireText } from '../../base/string-match.ts'
import type { PathMatch } from '../config.ts'

/** Whether candidate `index`, whose path matches, holds in all else too. */
export type Accept = (index: number) => boolean

/**
 * The smallest index in [0, `below`) whose path condition holds and which `accept` takes, or `below`. Candidates with the same
 * path condition are asked in order.
 */
export type PathIndex = (path: string, below: number, accept: Accept) => number

/** One node of a radix tree over the values of prefix and segment conditions. */
interface Node {
  edge: string
  /** Conditions that end here, ascending. */
  readonly prefixes: number[]
  readonly segments: number[]
  /** By the first character of the child's edge. */
  readonly children: Map<number, Node>
}

/** Over all conditions of one case sensitivity; `path` and the conditions' values are lower case if that does not matter. */
function plainIndex(matches: readonly (readonly [index: number, match: PathMatch])[], lower: boolean): PathIndex {
  const exact = new Map<string, number[]>()
  const root: Node = { edge: '', prefixes: [], segments: [], children: new Map() }
  const regexes: (readonly [index: number, test: TextTest])[] = []
  for (const [index, { kind, value }] of matches) {
    const text = lower ? asWireText(value).toLowerCase() : asWireText(value)
    if (kind === 'exact') exact.set(text, [...(exact.get(text) ?? []), index])
    else if (kind === 'prefix') insert(root, text).prefixes.push(index)
    else if (kind === 'segments') insert(root, text.endsWith('/') ? text.slice(0, -1) : text).segments.push(index)
    else {
      const test = compileRegex(lower ? `(?i:${value})` : value)
      if (test) regexes.push([index, test])
    }
  }
  return (path, below, accept) => {
    let best = below
    const same = exact.get(path)
    if (same !== undefined) best = firstOf(same, best, accept)
    best = walk(root, path, best, accept)
    for (const [index, test] of regexes) {
      if (index >= best) break
      if (test(path) && accept(index)) return index
    }
    return best
  }
}

/** `matches` by index; cost of a look-up: the path's length, plus one test per regex that stands before the best other match. */
export function compilePathIndex(matches: readonly PathMatch[]): PathIndex {
  const numbered = matches.map((match, index) => [index, match] as const)
  const [exactCase, anyCase] = [true, false].map((kind) => numbered.filter(([, match]) => match.caseSensitive === kind))
  const sensitive = plainIndex(exactCase ?? [], false)
  if (anyCase === undefined || anyCase.length === 0) return sensitive
  const insensitive = plainIndex(anyCase, true)
  return (path, below, accept) => insensitive(path.toLowerCase(), sensitive(path, below, accept), accept)
}

function firstOf(ascending: readonly number[], best: number, accept: Accept): number {
  for (const index of ascending) {
    if (index >= best) break
    if (accept(index)) return index
  }
  return best
}

function walk(root: Node, path: string, below: number, accept: Accept): number {
  let best = below
  let node: Node | undefined = root
  let at = 0
  while (node !== undefined && path.startsWith(node.edge, at)) {
    at += node.edge.length
    if (node.prefixes.length > 0) best = firstOf(node.prefixes, best, accept)
    if (node.segments.length > 0 && (at === path.length || path.charCodeAt(at) === slash))
      best = firstOf(node.segments, best, accept)
    node = at < path.length ? node.children.get(path.charCodeAt(at)) : undefined
  }
  return best
}

/** The node for `text`, made by splitting edges where needed. */
function insert(root: Node, text: string): Node {
  let node = root
  let at = 0
  while (at < text.length) {
    const child = node.children.get(text.charCodeAt(at))
    if (child === undefined) {
      const leaf: Node = { edge: text.slice(at), prefixes: [], segments: [], children: new Map() }
      node.children.set(text.charCodeAt(at), leaf)
      return leaf
    }
    let common = 0
    while (common < child.edge.length && child.edge[common] === text[at + common]) common++
    node = common === child.edge.length ? child : split(node, child, common)
    at += common
  }
  return node
}

/** Cuts `child`'s edge after `length` characters; the new node between `parent` and it. */
function split(parent: Node, child: Node, length: number): Node {
  const middle: Node = { edge: child.edge.slice(0, length), prefixes: [], segments: [], children: new Map() }
  parent.children.set(child.edge.charCodeAt(0), middle)
  child.edge = child.edge.slice(length)
  middle.children.set(child.edge.charCodeAt(0), child)
  return middle
}

const slash = 0x2f
