import fs from 'node:fs'
import path from 'node:path'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Log } from '../../base/log.ts'
import { formatProblem, type Problem } from '../../base/problem.ts'
import { settable, type Watchable } from '../../base/watchable.ts'
import { decodeDocument } from '../decode/decode.ts'
import { resourceFiles, stampOf } from './resource-files.ts'
import { parseDocuments, type SourcedDocument } from './yaml.ts'

/** Resources from files given with `-f`. */
export interface FileSource {
  /** The last good documents of every file, in the order of the paths given. */
  readonly documents: Watchable<readonly SourcedDocument[]>
  /** What is wrong at present; without an entry every file is in force as it stands. Read it once after the start to refuse. */
  readonly problems: Watchable<readonly Problem[]>
  close(): void
}

interface Held {
  /** Changes with the file's content; undefined while it is missing. */
  stamp: string | undefined
  documents: readonly SourcedDocument[]
  problems: readonly Problem[]
  missingSinceMs: number | undefined
}

/** Editors write in several steps: look once they are done. */
const debounceMs = 50
/** An editor that replaces a file takes it away for a moment. */
const goneAfterMs = 200
/** Network file systems and some containers tell nothing: look now and then. */
const lookAgainMs = 2_000

/**
 * Reads all at once, then watches. A file is taken as a whole or not at all: while it is broken its last good documents stay in force
 * and the problem is told. A file that goes from a watched directory takes its resources with it; a path that was itself named, and
 * has gone, keeps them until it comes back.
 */
export function watchFiles({ paths, clock, log }: { paths: readonly string[]; clock: Clock; log: Log }): FileSource {
  const held = new Map<string, Held>()
  const documents = settable<readonly SourcedDocument[]>([])
  const problems = settable<readonly Problem[]>([], (a, b) => shown(a) === shown(b))
  const watched = new Map<string, fs.FSWatcher>()
  let again: Timer | undefined
  let closed = false

  const scan = (): void => {
    again = undefined
    const found = paths.map((one) => resourceFiles(one))
    const named = new Set(paths.map((one) => path.resolve(one)))
    let changed = false
    for (const file of new Set([...held.keys(), ...found.flatMap(({ files }) => files)])) {
      const kept = named.has(file) || found.some(({ root, missing }) => missing !== undefined && isInside(root, file))
      changed = visit(file, kept) || changed
    }
    const lost = found.flatMap(({ root, missing }): Problem[] => {
      if (missing === undefined) return []
      const before = [...held.keys()].some((file) => file === root || isInside(root, file))
      return [fileProblem(root, before ? vanished : missing)]
    })
    if (changed) documents.set([...held.values()].flatMap((one) => one.documents))
    problems.set([...lost, ...[...held.values()].flatMap((one) => one.problems)])
    watchFolders(found.flatMap(({ folders }) => folders))
  }

  /** Whether the documents of this file changed. */
  const visit = (file: string, kept: boolean): boolean => {
    const before = held.get(file)
    const stamp = stampOf(file)
    if (stamp === undefined) {
      if (before === undefined) return false
      return missing(file, before, kept)
    }
    if (before !== undefined) before.missingSinceMs = undefined
    if (stamp === before?.stamp) return false
    const read = readResources(file, before?.documents.length ?? 0)
    // A file that was cut short and is being written again is not believed yet.
    if (read.problems.length === 0 || before === undefined) {
      held.set(file, { stamp, ...read, missingSinceMs: undefined })
      return read.documents.length > 0 || (before?.documents.length ?? 0) > 0
    }
    Object.assign(before, { stamp, problems: read.problems.map(stillInForce(before.documents.length)) })
    return false
  }

  const missing = (file: string, before: Held, kept: boolean): boolean => {
    before.stamp = undefined
    before.missingSinceMs ??= clock.nowMs()
    if (kept) {
      before.problems = []
      return false
    }
    if (clock.nowMs() - before.missingSinceMs < goneAfterMs) {
      lookSoon(goneAfterMs)
      return false
    }
    held.delete(file)
    log.info('a resource file was deleted; its resources go', { file, resources: before.documents.length })
    return before.documents.length > 0
  }

  const lookSoon = (delayMs: number): void => {
    if (!closed) again ??= clock.after(delayMs, scan, { background: true })
  }

  const watchFolders = (folders: readonly string[]): void => {
    const wanted = new Set(folders)
    for (const [folder, watcher] of watched) {
      if (wanted.has(folder)) continue
      watcher.close()
      watched.delete(folder)
    }
    for (const folder of wanted) {
      if (watched.has(folder) || closed) continue
      try {
        const watcher = fs.watch(folder, { persistent: false }, () => lookSoon(debounceMs))
        watcher.on('error', () => {
          watcher.close()
          watched.delete(folder)
        })
        watched.set(folder, watcher)
      } catch (error) {
        log.debug('cannot watch a folder; it is looked at every 2 s', { folder, reason: String(error) })
      }
    }
  }

  scan()
  problems.watch((now) => now.forEach((one) => log.warn(formatProblem(one))))
  documents.watch((now) => log.info('resource files were read again', { documents: now.length }))
  const slow = clock.every(lookAgainMs, () => lookSoon(0), { background: true })
  return {
    documents,
    problems,
    close() {
      closed = true
      slow.cancel()
      again?.cancel()
      for (const watcher of watched.values()) watcher.close()
      watched.clear()
    },
  }
}

const vanished = 'has vanished; its resources stay in force until it comes back or the control plane restarts'

/** The whole file or its problems. `before`: how many documents it had when it was last good. */
function readResources(file: string, before: number): Pick<Held, 'documents' | 'problems'> {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    return { documents: [], problems: [fileProblem(file, `cannot be read (${(error as Error).message})`)] }
  }
  if (before > 0 && text.trim() === '') return { documents: [], problems: [fileProblem(file, 'is empty now')] }
  const { documents, problems } = parseDocuments(text, file)
  const wrong = documents.flatMap(({ value, place }, index): readonly Problem[] => {
    const decoded = decodeDocument(value, { index: index + 1, placeOf: place })
    return 'problems' in decoded ? decoded.problems.filter(({ severity }) => severity === 'error') : []
  })
  const all = [...problems, ...wrong]
  return all.length > 0 ? { documents: [], problems: all } : { documents, problems: [] }
}

const fileProblem = (file: string, message: string): Problem => ({
  severity: 'error',
  resource: 'file',
  field: '',
  message,
  place: { file },
})

const stillInForce =
  (count: number) =>
  (problem: Problem): Problem =>
    count === 0 ? problem : { ...problem, message: `${problem.message}; what the file held before stays in force` }

const shown = (problems: readonly Problem[]): string => problems.map(formatProblem).join('\n')
const isInside = (folder: string, file: string): boolean => file.startsWith(`${folder}${path.sep}`)
