import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants
const limitBytes = 64 * 1024

/** What was found where a secret should be. */
export type SecretFile =
  | { readonly kind: 'content'; readonly text: string }
  | { readonly kind: 'absent' }
  /** There, but not to be trusted: the sentence says why and what to do. */
  | { readonly kind: 'refused'; readonly why: string }

/** Reads a file that only its owner may read; a link, a stranger's file or open permissions are refused. */
export function readSecretFile(file: string): SecretFile {
  const opened = openNoFollow(file)
  if (typeof opened !== 'number') return opened
  try {
    const { mode, uid, size } = fs.fstatSync(opened)
    const refused = (why: string): SecretFile => ({ kind: 'refused', why: `${file} ${why}` })
    if ((mode & fs.constants.S_IFMT) !== fs.constants.S_IFREG) return refused('is not a regular file')
    if (process.getuid !== undefined && uid !== process.getuid()) return refused('belongs to another user')
    if ((mode & 0o077) !== 0) {
      return refused(
        `may be read by others (mode ${(mode & 0o777).toString(8)}): the secret may have leaked; remove it`,
      )
    }
    if (size > limitBytes) return refused(`has ${size} bytes, which is no secret of ours`)
    return { kind: 'content', text: fs.readFileSync(opened, 'utf8') }
  } finally {
    fs.closeSync(opened)
  }
}

function openNoFollow(file: string): number | SecretFile {
  try {
    return fs.openSync(file, O_RDONLY | O_NOFOLLOW)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return { kind: 'absent' }
    if (code === 'ELOOP') return { kind: 'refused', why: `${file} is a symbolic link` }
    return { kind: 'refused', why: `${file} cannot be read (${code})` }
  }
}

/**
 * Writes a secret that is not there yet: 0600 from its first moment, whole or not at all, on disk before it returns.
 * "exists": somebody was first, nothing was changed. Throws what the file system throws (disk full, no permission).
 */
export function createSecretFile(file: string, text: string): 'created' | 'exists' {
  const temporary = `${file}.${randomBytes(6).toString('hex')}.new`
  const descriptor = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    fs.writeFileSync(descriptor, text)
    fs.fsyncSync(descriptor)
    // Unlike rename, link does not replace a file that came first.
    fs.linkSync(temporary, file)
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'exists'
    throw error
  } finally {
    fs.closeSync(descriptor)
    fs.rmSync(temporary, { force: true })
  }
  syncDirectory(path.dirname(file))
  return 'created'
}

/** Makes `dir` (and what is above it) if need be, for its owner alone; one that is more open is closed. */
export function ensureSecretDirectory(dir: string): void {
  fs.mkdirSync(dir, { recursive: true, mode: 0o700 })
  if ((fs.statSync(dir).mode & 0o077) !== 0) fs.chmodSync(dir, 0o700)
}

function syncDirectory(dir: string): void {
  const descriptor = fs.openSync(dir, O_RDONLY)
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? String(error)
