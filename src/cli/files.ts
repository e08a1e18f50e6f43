import fs from 'node:fs'
import path from 'node:path'
import type { Problem } from '../base/problem.ts'
import type { Terminal } from './terminal.ts'

/** One file of resources. */
export interface SourceText {
  /** As the user named it; "stdin" for `-`. */
  readonly file: string
  readonly text: string
}

const endings = ['.yaml', '.yml', '.json']

/** Files, the resource files of directories (not of those inside them) in order of name, and `-` for standard input. */
export async function readSources(
  names: readonly string[],
  { stdin }: Pick<Terminal, 'stdin'>,
): Promise<{ readonly sources: readonly SourceText[] } | { readonly unreadable: string }> {
  const sources: SourceText[] = []
  for (const name of names) {
    if (name === '-') {
      sources.push({ file: 'stdin', text: await stdin() })
      continue
    }
    try {
      for (const file of filesAt(name)) sources.push({ file, text: fs.readFileSync(file, 'utf8') })
    } catch (error) {
      return { unreadable: `cannot read ${name}: ${reasonOf(error)}` }
    }
  }
  if (sources.length > 0) return { sources }
  return { unreadable: `${names.join(', ')}: no file here ends with ${endings.join(', ')}` }
}

function filesAt(name: string): readonly string[] {
  if (!fs.statSync(name).isDirectory()) return [name]
  return fs
    .readdirSync(name)
    .filter((file) => endings.includes(path.extname(file)) && !file.startsWith('.'))
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((file) => path.join(name, file))
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  return message
}

/** Several files as one body, since `apply` is all or nothing; `placed` says again where each line came from. */
export function joinSources(sources: readonly SourceText[]): { text: string; placed: (problem: Problem) => Problem } {
  const starts: number[] = []
  let text = ''
  let line = 1
  for (const source of sources) {
    starts.push(line)
    const part = `${source.text}${source.text.endsWith('\n') ? '' : '\n'}---\n`
    text += part
    line += part.split('\n').length - 1
  }
  const placed = (problem: Problem): Problem => {
    const at = problem.place?.line
    if (at === undefined)
      return sources.length === 1 && sources[0] ? { ...problem, place: { file: sources[0].file } } : problem
    const index = starts.findLastIndex((start) => start <= at)
    const source = sources[index]
    const start = starts[index]
    return source === undefined || start === undefined
      ? problem
      : { ...problem, place: { file: source.file, line: at - start + 1 } }
  }
  return { text, placed }
}
