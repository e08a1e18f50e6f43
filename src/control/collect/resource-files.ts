import fs from 'node:fs'
import path from 'node:path'

/** What one `-f` path stands for at this moment. All paths are absolute. */
export interface FoundFiles {
  readonly root: string
  /** Sorted by name; a named file is taken whatever it is called. */
  readonly files: readonly string[]
  /** Whose changes can change this answer. */
  readonly folders: readonly string[]
  /** Why there is nothing, for people. */
  readonly missing?: string
}

const isResourceFile = (name: string): boolean => /\.(ya?ml|json)$/i.test(name) && !name.startsWith('.')

/** A file itself, or every *.yaml, *.yml and *.json below a directory; hidden names are passed over. Never throws. */
export function resourceFiles(given: string): FoundFiles {
  const root = path.resolve(given)
  try {
    if (fs.statSync(root).isDirectory()) return below(root)
    return { root, files: [root], folders: [path.dirname(root)] }
  } catch (error) {
    const { code } = error as { code?: string }
    const missing = code === 'ENOENT' ? 'does not exist' : `cannot be read (${(error as Error).message})`
    return { root, files: [], folders: [path.dirname(root)].filter((one) => fs.existsSync(one)), missing }
  }
}

function below(root: string): FoundFiles {
  const files: string[] = []
  const folders: string[] = []
  const seen = new Set<string>()
  const enter = (folder: string): void => {
    const real = fs.realpathSync(folder)
    // A symbolic link may lead back up.
    if (seen.has(real)) return
    seen.add(real)
    folders.push(folder)
    for (const name of fs.readdirSync(folder).toSorted()) {
      const file = path.join(folder, name)
      const stat = name.startsWith('.') ? undefined : fs.statSync(file, { throwIfNoEntry: false })
      if (stat?.isDirectory()) enter(file)
      else if (stat?.isFile() && isResourceFile(name)) files.push(file)
    }
  }
  enter(root)
  return { root, files, folders }
}

/** Changes whenever the content may have; undefined when there is no such file. */
export function stampOf(file: string): string | undefined {
  try {
    const { ino, size, mtimeNs, ctimeNs } = fs.statSync(file, { bigint: true })
    return `${ino}/${size}/${mtimeNs}/${ctimeNs}`
  } catch {
    return undefined
  }
}
