import path from 'node:path/posix'
import { lineAt, readSource, type Import, type Source } from './source.ts'

/** A folder or file of src, what it may import besides itself, and why. The longest path that fits a file is its room. */
export interface Room {
  /** "control/link" or "proxy/config.ts", relative to src; "control/*" means the files directly in control. */
  readonly room: string
  /** Paths as in `room`. */
  readonly sees: readonly string[]
  /** npm packages; "node:" stands for all of Node's own modules, "node:path" for one. */
  readonly packages: readonly string[]
  readonly why: string
}

/** What a process must never load at its start, followed through every import that is neither type-only nor dynamic. */
export interface LoadLimit {
  readonly entry: string
  /** Paths of src or package names. */
  readonly never: readonly string[]
  readonly why: string
}

/** Something that may stand only in some places. */
export interface Ban {
  readonly form: RegExp
  readonly allowedIn: readonly string[]
  readonly why: string
}

/** All that is checked. */
export interface Rules {
  readonly rooms: readonly Room[]
  readonly loadLimits: readonly LoadLimit[]
  readonly bans: readonly Ban[]
  readonly maxLines: number
  /** Path prefixes that come out of a generator: only their being imported is looked at. */
  readonly generated: readonly string[]
  /** Allowed in src at all; the rest of package.json serves tools and tests. */
  readonly runtimePackages: readonly string[]
}

/** Tests and what serves only them may see everything; the rules about shape hold for them too. */
const isTest = (file: string): boolean => /\.(?:test|suite)\.ts$|(?:^|\/)testing\//.test(file)

/** `file` lies in `place`, which is a folder, a file, or "folder/*" for the files directly in it. */
function isIn(file: string, place: string): boolean {
  if (place.endsWith('/*')) return path.dirname(file) === place.slice(0, -2)
  return file === place || file.startsWith(`${place}/`)
}

/** Everything wrong in a tree of files (path relative to src → text), as sentences; empty when all rules hold. */
export function checkTree(files: ReadonlyMap<string, string>, rules: Rules): readonly string[] {
  const written = [...files].filter(([file]) => !rules.generated.some((prefix) => file.startsWith(prefix)))
  const sources = new Map(written.map(([file, text]) => [file, readSource(text)] as const))
  return [
    ...[...sources].flatMap(([file, source]) => [
      ...checkImports(file, source, files, rules),
      ...checkShape(file, source, rules),
    ]),
    ...checkCycles(sources),
    ...rules.loadLimits.flatMap((limit) => checkLoads(limit, sources)),
  ]
}

/** The most particular room that `file` is in. */
export function roomOf(file: string, rooms: readonly Room[]): Room | undefined {
  return rooms
    .filter(({ room }) => isIn(file, room))
    .toSorted((a, b) => b.room.length - a.room.length)
    .at(0)
}

const isRelative = (specifier: string): boolean => specifier.startsWith('.')

/** Path relative to src; undefined for packages. */
const target = (file: string, { specifier }: Import): string | undefined =>
  isRelative(specifier) ? path.join(path.dirname(file), specifier) : undefined

/** "@grpc/grpc-js/x" → "@grpc/grpc-js". */
const packageOf = (specifier: string): string =>
  specifier.startsWith('node:') ? specifier : specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')

function checkImports(
  file: string,
  source: Source,
  files: ReadonlyMap<string, string>,
  { rooms, runtimePackages }: Rules,
): string[] {
  const room = roomOf(file, rooms)
  if (room === undefined) return isTest(file) ? [] : [`${file}: no room of the table holds it`]
  return source.imports.flatMap((one) => {
    const where = `${file}:${one.line}`
    const to = target(file, one)
    if (to === undefined) {
      const name = packageOf(one.specifier)
      const known = name.startsWith('node:') || runtimePackages.includes(name)
      if (!known && !isTest(file)) return [`${where}: "${name}" is no dependency at run time`]
      const allowed = room.packages.some((entry) => entry === name || (entry === 'node:' && name.startsWith('node:')))
      return allowed || isTest(file) ? [] : [`${where}: ${room.room} may not import "${name}": ${room.why}`]
    }
    if (!files.has(to)) return to.startsWith('..') ? [`${where}: imports ${to}, outside of src`] : []
    if (isTest(file)) return []
    if (isTest(to)) return [`${where}: imports ${to}, which is there for tests`]
    const toRoom = roomOf(to, rooms)
    const sees = toRoom === room || isIn(to, room.room) || room.sees.some((place) => isIn(to, place))
    return sees ? [] : [`${where}: ${room.room} may not import ${to}: ${room.why}`]
  })
}

function checkShape(file: string, { text, code }: Source, { bans, maxLines }: Rules): string[] {
  const found: string[] = []
  if (path.basename(file) === 'index.ts') found.push(`${file}: no index.ts: a file is called after its main export`)
  for (const match of code.matchAll(/\bexport\s+default\b|\bexport\s*\{[^}]*\bas\s+default\b/g))
    found.push(`${file}:${lineAt(text, match.index)}: no default exports: a thing has one name`)
  const lines = text.trimEnd().split('\n').length
  if (lines > maxLines && !isTest(file))
    found.push(`${file}: ${lines} lines; over ${maxLines} a file hides a second concept`)
  if (isTest(file)) return found
  for (const { form, allowedIn, why } of bans) {
    if (allowedIn.some((place) => isIn(file, place))) continue
    for (const match of code.matchAll(form))
      found.push(`${file}:${lineAt(text, match.index)}: ${match[0].trim()}: ${why}`)
  }
  for (const match of code.matchAll(/^export (?:async )?(?:function\*?|class|abstract class) (\w+)/gm)) {
    if (!text.slice(0, match.index).trimEnd().endsWith('*/'))
      found.push(`${file}:${lineAt(text, match.index)}: ${match[1]} has no doc comment: meaning, units, failure`)
  }
  return found
}

/** Every cycle once, type-only imports included: two files that need each other are one concept, or three. */
function checkCycles(sources: ReadonlyMap<string, Source>): string[] {
  const found: string[] = []
  const state = new Map<string, 'open' | 'done'>()
  const walk = (file: string, trail: readonly string[]): void => {
    if (state.get(file) === 'done') return
    const open = [...trail, file]
    if (state.get(file) === 'open') {
      found.push(`import cycle: ${open.slice(open.indexOf(file)).join(' → ')}`)
      return
    }
    state.set(file, 'open')
    for (const one of sources.get(file)?.imports ?? []) {
      const to = target(file, one)
      if (to !== undefined && sources.has(to)) walk(to, open)
    }
    state.set(file, 'done')
  }
  for (const file of sources.keys()) walk(file, [])
  return found
}

function checkLoads({ entry, never, why }: LoadLimit, sources: ReadonlyMap<string, Source>): string[] {
  const found: string[] = []
  const seen = new Set<string>()
  const walk = (file: string, trail: readonly string[]): void => {
    if (seen.has(file)) return
    seen.add(file)
    const path = [...trail, file]
    for (const one of sources.get(file)?.imports ?? []) {
      if (one.typeOnly || one.dynamic) continue
      const to = target(file, one)
      const bad = never.find((name) => (to === undefined ? packageOf(one.specifier) === name : isIn(to, name)))
      if (bad !== undefined)
        found.push(`${path.join(' → ')} → ${to ?? one.specifier}: ${entry} must not load it: ${why}`)
      else if (to !== undefined) walk(to, path)
    }
  }
  if (sources.has(entry)) walk(entry, [])
  return found
}
