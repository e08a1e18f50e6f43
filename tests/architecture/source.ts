/** One import of a file, wherever it stands: static, re-export, type-only, dynamic. */
export interface Import {
  readonly specifier: string
  readonly line: number
  /** Erased before the program runs. */
  readonly typeOnly: boolean
  /** `import('…')`: loaded when reached, not when the file is. */
  readonly dynamic: boolean
}

/** What the rules need to know of a file, without a parser: comments and strings are told apart, the rest is text. */
export interface Source {
  readonly imports: readonly Import[]
  /** The text with comments and the insides of strings and regular expressions as spaces; same length, same lines. */
  readonly code: string
  /** The text itself. */
  readonly text: string
}

/** Reads one TypeScript file. Never fails: what it does not understand it takes for code. */
export function readSource(text: string): Source {
  const code = blank(text)
  return { text, code, imports: [...staticImports(text, code), ...dynamicImports(text, code)] }
}

/** Counts from 1. */
export const lineAt = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** `import … from '…'`, `import '…'`, `export … from '…'`. */
function* staticImports(text: string, code: string): Generator<Import> {
  const form = /(?:^|[;\n}])[ \t]*(import|export)\b(?![ \t]*[(.])((?:[^;'"`=()])*?)(['"])( *)\3/g
  for (const match of code.matchAll(form)) {
    const [whole, keyword, clause = ''] = match
    const isBare = clause.trim() === ''
    if (!isBare && !/\bfrom\s*$/.test(clause)) continue
    if (keyword === 'export' && isBare) continue
    const start = match.index + whole.length - 1 - (match[4] ?? '').length
    yield {
      specifier: text.slice(start, match.index + whole.length - 1),
      line: lineAt(text, start),
      typeOnly: /^\s*type\b(?!\s*(?:from|,))/.test(clause) || onlyTypesNamed(clause),
      dynamic: false,
    }
  }
}

/** `{ type A, type B }`. */
function onlyTypesNamed(clause: string): boolean {
  const names = /^\s*\{([^}]*)\}\s*from\s*$/.exec(clause)?.[1]?.split(',')
  const given = names?.map((name) => name.trim()).filter((name) => name !== '') ?? []
  return given.length > 0 && given.every((name) => name.startsWith('type '))
}

/** `import('…')` and `typeof import('…')`. */
function* dynamicImports(text: string, code: string): Generator<Import> {
  for (const match of code.matchAll(/(\btypeof\s+)?\bimport\s*\(\s*(['"`])( *)\2/g)) {
    const end = match.index + match[0].length - 1
    const start = end - (match[3] ?? '').length
    yield {
      specifier: text.slice(start, end),
      line: lineAt(text, start),
      typeOnly: match[1] !== undefined,
      dynamic: true,
    }
  }
}

const spaces = (text: string): string => text.replace(/[^\n]/g, ' ')

/** Comments wholly, strings, templates and regular expressions inside their quotes, become spaces. */
function blank(text: string): string {
  let out = ''
  let at = 0
  /** One entry per template that is open around here: the depth of braces at which its `${` stands. */
  const templates: number[] = []
  let depth = 0
  const take = (length: number): void => {
    out += text.slice(at, at + length)
    at += length
  }
  const hide = (length: number): void => {
    out += spaces(text.slice(at, at + length))
    at += length
  }
  const hideTemplatePart = (): void => {
    const length = /^(?:\\[^]|\$(?!\{)|[^\\`$])*/.exec(text.slice(at))?.[0].length ?? 0
    hide(length)
    if (text.startsWith('${', at)) {
      take(2)
      templates.push(depth++)
    } else take(1)
  }
  while (at < text.length) {
    const char = text[at] ?? ''
    const two = text.slice(at, at + 2)
    if (two === '//') hide(lengthUntil(text, at, /\n|$/))
    else if (two === '/*') hide(lengthUntil(text, at + 2, /\*\//) + 4)
    else if (char === "'" || char === '"') {
      const inside = new RegExp(`^(?:\\\\[^]|[^\\\\\\n${char}])*`).exec(text.slice(at + 1))?.[0].length ?? 0
      take(1)
      hide(inside)
      take(1)
    } else if (char === '`') {
      take(1)
      hideTemplatePart()
    } else if (char === '}' && templates.at(-1) === depth - 1) {
      templates.pop()
      depth--
      take(1)
      hideTemplatePart()
    } else if (char === '/' && regexMayStart(out)) {
      const inside = /^\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^\\[/\n])+\//.exec(text.slice(at))?.[0].length ?? 1
      take(1)
      if (inside > 2) {
        hide(inside - 2)
        take(1)
      }
    } else {
      if (char === '{') depth++
      if (char === '}') depth--
      take(1)
    }
  }
  return out
}

const lengthUntil = (text: string, from: number, end: RegExp): number => {
  const found = text.slice(from).search(end)
  return found === -1 ? text.length - from : found
}

/** A slash after an operator or at the start begins a regular expression; after a value it divides. */
function regexMayStart(before: string): boolean {
  const tail = before.trimEnd()
  return tail === '' || /(?:[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|yield|await))$/.test(tail)
}
